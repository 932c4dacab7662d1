"""Running code that draws from the global random generators, reproducibly and without a trace."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import manual_seed  # as it was before anybody replaced it


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside the block, the global generators of Python, NumPy and torch start from `seed`; then they are put back.

    Those of CUDA are put back where CUDA is in use already.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=devices):
        manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
