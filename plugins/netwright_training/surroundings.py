"""What a training or an evaluation borrows and gives back: device, modes, random state, determinism."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn


def model_device(model: nn.Module) -> torch.device:
    """Where the model's first parameter or buffer lies; the CPU for a model without any."""
    tensor = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


@contextmanager
def on_device(model: nn.Module, device: torch.device) -> Iterator[None]:
    """The model is on `device` inside the block, and back where it was after it."""
    home = model_device(model)
    model.to(device)
    try:
        yield
    finally:
        model.to(home)


@contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """After the block, every module is in train or eval mode as it was before."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def random_state_kept(device: torch.device) -> Iterator[None]:
    """After the block, torch's global random state on the CPU and on `device` is as it was before."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


def seed_global_state(seed: int, device: torch.device) -> None:
    """Seed what dropout draws from on `device`, and torch's global generator on the CPU."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


@contextmanager
def deterministic_algorithms(device: torch.device) -> Iterator[None]:
    """On CUDA, operations run in their deterministic variants where they have one, and warn where not.

    Nothing changes on the CPU, where equal thread counts give equal results.
    """
    if device.type != "cuda":
        yield
        return
    # cuBLAS reads it when its first handle is made; once that has happened, torch warns that results may vary.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = benchmark
