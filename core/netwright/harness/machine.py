"""What this machine can do at best: how fast bytes move and how fast it multiplies."""

import torch

from netwright.harness.clock import Clock

REPEATS = 7
MATRIX = {"cpu": 1024, "cuda": 8192}
MOVED_BYTES = 64 << 20
"""A sample moves about this much, so that small working sets are walked through many times."""


def bandwidth(working_set: int, device: torch.device, clock: Clock) -> float:
    """Bytes read and written per second by a copy inside a working set of that many bytes; the best of several."""
    elements = max(working_set // 8, 1)
    source = torch.ones(elements, dtype=torch.float32, device=device)
    target = torch.zeros_like(source)
    passes = max(1, min(MOVED_BYTES // (8 * elements), 1000))
    best = min(clock.time(lambda: target.copy_(source), passes)[0] for _ in range(REPEATS))
    return 8 * elements / best * 1e3


def peak_rate(dtype: torch.dtype, device: torch.device, clock: Clock) -> float:
    """Floating-point operations per second of a large matrix product; the best of several."""
    size = MATRIX[device.type]
    left = torch.ones(size, size, dtype=dtype, device=device)
    best = min(clock.time(lambda: left @ left)[0] for _ in range(REPEATS))
    return 2 * size**3 / best * 1e3
