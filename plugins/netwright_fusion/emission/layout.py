"""Memory layouts of outputs: restoring the original's."""

import torch
from torch import Tensor

from netwright_fusion.graph import size_hint


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
