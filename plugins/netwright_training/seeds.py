"""Independent random streams from one seed."""

import torch

from netwright.files import content_key


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A seed for one purpose: equal arguments give equal seeds, different ones unrelated seeds."""
    return int(content_key(seed, *purpose)[:15], 16)


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A random generator on the CPU for one purpose, apart from torch's global one."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))
