"""Variants of `models.Perceptron` that are right, in unusual ways; none may be rejected."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Forward = Callable[[Tensor], object]


def the_module_itself(module: nn.Module) -> nn.Module:
    return module


def reassociated(module: nn.Module) -> Forward:
    """Sums in another order: the hidden layer in two halves."""

    def forward(x: Tensor) -> Tensor:
        weight, bias = module.hidden.weight, module.hidden.bias
        halves = [x[:, part] @ weight[:, part].t() for part in (slice(8, 16), slice(8))]  # type: ignore[index]
        return module.head(torch.relu(module.norm(halves[0] + halves[1] + bias)))  # type: ignore[operator, no-any-return]

    return forward


def more_accurate(module: nn.Module) -> Forward:
    wide = module.double()
    return lambda x: wide(x.double()).float()


def folded(module: nn.Module) -> Forward:
    """Batch normalisation folded into the layer before it, with weights of its own."""
    norm, hidden, head = module.norm, module.hidden, module.head
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()  # type: ignore[operator, union-attr]
    weight = hidden.weight * scale[:, None]
    bias = (hidden.bias - norm.running_mean) * scale + norm.bias  # type: ignore[operator]
    return lambda x: head(torch.relu(torch.addmm(bias, x, weight.t())))  # type: ignore[operator, arg-type]


def own_buffer(module: nn.Module) -> Forward:
    """Writes into memory of its own, the same in every call."""
    buffer = torch.empty(8, 48)

    def forward(x: Tensor) -> Tensor:
        torch.mm(x, module.hidden.weight.t(), out=buffer)  # type: ignore[operator, call-overload]
        buffer.add_(module.hidden.bias)  # type: ignore[arg-type]
        return module.head(torch.relu(module.norm(buffer)))  # type: ignore[operator, no-any-return]

    return forward
