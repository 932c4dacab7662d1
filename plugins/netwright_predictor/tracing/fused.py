"""Fused attention where only processors lack it: what a GPU's kernel keeps, and no scores."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode


class FusedAttention(TorchFunctionMode):
    """Inside the block, scaled dot-product attention never holds its scores, as a GPU's fused kernels never do.

    Fake tensors pretend to be on the CPU, whose fused kernel takes neither dropout nor values of another width than
    keys, as multi-head latent attention has them: there, torch would compute the scores and keep them.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run one function, or make what the fused kernel would."""
        kwargs = kwargs or {}
        if func is scaled_dot_product_attention:
            query, key, value = args[:3]
            dropout = kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0)
            if query.dim() == 4 and (dropout or query.shape[-1] != value.shape[-1]):
                return _Fused.apply(query, key, value)
        return func(*args, **kwargs)


class _Fused(Function):
    """Attention without its numbers: its output and the logarithm of each row's sum, which the gradient needs."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        batch, heads, length, _ = query.shape
        output = query.new_empty(batch, length, heads, value.shape[-1]).transpose(1, 2)
        sums = query.new_empty(batch, heads, length, dtype=torch.float32)
        ctx.save_for_backward(query, key, value, output, sums)
        return output

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, ...]:
        query, key, value, *_kept = ctx.saved_tensors
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)
