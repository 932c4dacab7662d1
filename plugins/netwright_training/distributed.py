"""Training on several processes: who takes part, and how gradients become everyone's.

torchrun starts the processes and tells each its rank; `process_group` joins them. The training loop then gives each its
part of every batch and adds the gradients up, so that all step as one process would that has the whole batch (but batch
normalisation, which sees the parts).
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import torch
from torch import Tensor, distributed, nn

from netwright.errors import NetwrightError, UserError

Backend = Literal["gloo", "nccl"]
VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells every process."""


@dataclass(frozen=True)
class Team:
    """The processes that work together.

    Attributes:
        rank: Which of them this is, counted from 0.
        size: How many they are.
    """

    rank: int
    size: int

    @property
    def leads(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """Where this process's part of a batch of `count` samples lies; all of a batch that has too few to share."""
        if count < 2 * self.size:
            return slice(0, count)
        ends = [count * number // self.size for number in range(self.size + 1)]
        return slice(ends[self.rank], ends[self.rank + 1])


ALONE = Team(0, 1)


@contextmanager
def process_group(backend: Backend, *, world_size: int | None = None, timeout_s: float = 600.0) -> Iterator[Team]:
    """Inside the block, this process and the others that torchrun started are one group.

    Args:
        world_size: How many there must be; None is as many as there are.
        timeout_s: How long one waits for the others.

    Raises:
        UserError: torchrun did not start this process, there are others than `world_size` says, or the backend is nccl
            and there is no CUDA device for each process of this machine.
        NetwrightError: The processes cannot reach each other.
    """
    team = _team(world_size)
    if backend == "nccl":
        _require_cuda()
    if distributed.is_initialized():
        raise UserError("this process belongs to a group already", remedy="leave the other process_group first")
    try:
        distributed.init_process_group(backend, timeout=timedelta(seconds=timeout_s))
    except (RuntimeError, ValueError) as error:
        address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        why = " ".join(str(error).split())[:200]
        raise NetwrightError(f"the {team.size} processes cannot meet at {address}", why=why) from error
    try:
        yield team
    finally:
        distributed.destroy_process_group()


def current_team() -> Team:
    """The group that this process belongs to; by itself outside any."""
    if not distributed.is_available() or not distributed.is_initialized():
        return ALONE
    return Team(distributed.get_rank(), distributed.get_world_size())


def share_state(module: nn.Module) -> None:
    """Give all processes the first one's weights and buffers."""
    if current_team().size > 1:
        for tensor in module.state_dict().values():
            distributed.broadcast(tensor, src=0)


def add_up(tensors: Sequence[Tensor]) -> None:
    """Replace tensors of one type and device by their sums over all processes, in one exchange."""
    if current_team().size == 1 or not tensors:
        return
    together = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(together)
    for tensor, total in zip(tensors, torch.split(together, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(total.view_as(tensor))


def _team(world_size: int | None) -> Team:
    missing = [name for name in VARIABLES if name not in os.environ]
    if missing:
        raise UserError(
            "there are no other processes to train with",
            why=f"{', '.join(missing)} not set",
            remedy=f"start the script with torchrun --nproc-per-node={world_size or 'N'} SCRIPT",
        )
    team = Team(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    if world_size is not None and team.size != world_size:
        raise UserError(
            f"{team.size} processes were started",
            why=f"hardware.distributed.world_size is {world_size}",
            remedy=f"torchrun --nproc-per-node={world_size} SCRIPT, or leave world_size out",
        )
    return team


def _require_cuda() -> None:
    local = int(os.environ.get("LOCAL_RANK", "0"))
    devices = torch.cuda.device_count()
    if devices <= local:
        raise UserError(
            "backend 'nccl' needs a CUDA device per process",
            why=f"this machine has {devices}, and this is its process {local}",
            remedy="set hardware.distributed.backend=gloo to train on CPUs",
        )
    torch.cuda.set_device(local)
