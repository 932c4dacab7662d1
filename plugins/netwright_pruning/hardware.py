"""An experiment's hardware settings put into force: a limit on a GPU's memory, processes that work together."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from netwright.context import current_run
from netwright.devices import resolve_device
from netwright.errors import UserError
from netwright.formatting import format_bytes
from netwright_pruning.experiment import HardwareSection
from netwright_training.distributed import ALONE, Team, process_group


@contextmanager
def hardware_in_force(hardware: HardwareSection) -> Iterator[Team]:
    """Inside the block, the limits hold, and this process belongs to a team where there is one.

    Raises:
        UserError: The limit is more than the device has, or the processes are not those that the settings ask for.
    """
    device = torch.device(resolve_device(hardware.device, setting="hardware.device"))
    limit = hardware.gpu.memory_limit_bytes
    with _memory_limit(device, limit):
        shared = hardware.distributed
        if not shared.enabled:
            yield ALONE
            return
        with process_group(shared.backend, world_size=shared.world_size, timeout_s=shared.timeout_s) as team:
            yield team


@contextmanager
def _memory_limit(device: torch.device, limit: int | None) -> Iterator[None]:
    """Inside the block, this process allocates at most `limit` bytes on a CUDA device; other devices have no limit."""
    if limit is None:
        yield
        return
    if device.type != "cuda":
        current_run().warn(f"hardware.gpu.memory_limit limits CUDA devices only: {device} has no such limit")
        yield
        return
    total = torch.cuda.get_device_properties(device).total_memory
    if limit > total:
        raise UserError(
            f"'hardware.gpu.memory_limit' cannot be {format_bytes(limit)}",
            why=f"{device} has {format_bytes(total)}",
            remedy="lower it, or leave it out",
        )
    torch.cuda.set_per_process_memory_fraction(limit / total, device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
