"""Grouped products: their shapes in every number format, where torch knows them in one only."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

GROUPED = torch.ops.aten._grouped_mm.default
KNOWN = torch.bfloat16
"""What torch accepts on fake tensors wherever it runs; up to 2.14 it refuses others, though its kernels take more."""


class GroupedProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Inside the block, `aten._grouped_mm` of fake tensors takes every number format; enter it inside of their mode."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operator, or make the output that it would have."""
        kwargs = kwargs or {}
        if func is GROUPED and args[0].dtype != KNOWN:
            return grouped_output(*args, **kwargs)
        return func(*args, **kwargs)


def grouped_output(left: Tensor, right: Tensor, offs: Tensor | None = None, *_: object, **__: object) -> Tensor:
    """What `aten._grouped_mm` returns, without its numbers.

    Args:
        left: (rows, in), or (groups, rows, in) where every group has as many rows.
        right: (groups, in, out), or (in, columns) where groups have columns of their own.
        offs: Where each group ends, (groups,).
    """
    rows, columns = left.shape[-2], right.shape[-1]
    if left.dim() != right.dim():
        return left.new_empty(rows, columns)
    groups = left.shape[0] if offs is None else offs.shape[0]
    return left.new_empty(groups, rows, columns)
