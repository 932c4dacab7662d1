"""Poisoned memory: what a call leaves unwritten comes out as NaN instead of as whatever lay there before."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

JUNK_FLAG = "FLAGS_caffe2_cpu_allocator_do_junk_fill"
"""A switch of torch's own CPU allocator: every allocation is filled with a pattern that reads as NaN in float32."""


@contextmanager
def poisoned(device: torch.device) -> Iterator[bool]:
    """Inside the block, memory that torch hands out holds NaN (every other element, in 16-bit types).

    On a GPU the free blocks of the caching allocator are filled once, at the start; memory that is mapped anew in the
    block is not.

    Yields:
        Whether that could be arranged.
    """
    flag = _junk_flag()
    if flag is not None:
        flag.value = True
    try:
        if device.type == "cuda":
            _fill_free_blocks(device)
        yield flag is not None
    finally:
        if flag is not None:
            flag.value = False


def _junk_flag() -> ctypes.c_bool | None:
    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libc10.so"))
        return ctypes.c_bool.in_dll(library, JUNK_FLAG)
    except (OSError, ValueError):
        return None


def _fill_free_blocks(device: torch.device) -> None:
    """Take every free block of the caching allocator, fill it with NaN, and give all back."""
    free = [
        block["size"]
        for segment in torch.cuda.memory_snapshot()  # type: ignore[no-untyped-call]
        if segment["device"] == (device.index or 0)
        for block in segment["blocks"]
        if block["state"] == "inactive"
    ]
    taken = [torch.full((size // 4,), torch.nan, device=device) for size in sorted(free, reverse=True)]
    torch.cuda.synchronize(device)
    del taken
