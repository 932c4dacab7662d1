"""Running out of memory, and what can be done about it."""

import torch

TELLTALES = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch says on devices whose error has no type of its own, such as the CPU."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in TELLTALES)
