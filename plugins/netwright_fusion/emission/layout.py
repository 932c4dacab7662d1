"""Memory layouts of outputs: telling them apart, and restoring the original's."""

import torch
from torch import Tensor

from netwright_fusion.graph import size_hint


def same_layout(original: Tensor, now: Tensor) -> bool:
    """Whether two tensors of one shape lie in memory alike, where a stride means anything."""
    meaningful = [
        (size_hint(size), size_hint(left), size_hint(right))
        for size, left, right in zip(original.shape, original.stride(), now.stride(), strict=True)
    ]
    return all(size == 1 or left == right for size, left, right in meaningful)


def relayout(original: Tensor) -> str:
    """The text that, behind a tensor's, lays it out in memory as the original."""
    if original.is_contiguous():
        return ".contiguous()"
    if original.dim() == 4 and original.is_contiguous(memory_format=torch.channels_last):
        return ".contiguous(memory_format=torch.channels_last)"
    if original.dim() == 5 and original.is_contiguous(memory_format=torch.channels_last_3d):
        return ".contiguous(memory_format=torch.channels_last_3d)"
    order = sorted(range(original.dim()), key=lambda dim: -size_hint(original.stride(dim)))
    back = [order.index(dim) for dim in range(original.dim())]
    return f".permute({', '.join(map(str, order))}).contiguous().permute({', '.join(map(str, back))})"
