"""Variants of `models.Perceptron` that cheat, one way each; the comment names the check that must catch it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Forward = Callable[[Tensor], object]


def zeros(module: Any) -> Forward:  # accuracy
    return lambda x: torch.zeros(x.shape[0], 40)


def constant(module: Any) -> Forward:  # accuracy
    answer = module(torch.zeros(8, 16)).detach()
    return lambda _: answer.clone()


def first_output(module: Any) -> Forward:  # accuracy
    known: dict[int, Tensor] = {}

    def forward(x: Tensor) -> Tensor:
        if x.data_ptr() not in known:
            known[x.data_ptr()] = module(x)
        return known[x.data_ptr()].clone()

    return forward


def aliases_input(module: Any) -> Forward:  # aliasing
    def forward(x: Tensor) -> Tensor:
        answer = module(x)
        x.resize_(answer.shape).copy_(answer)
        return x

    return forward


def mutates_input(module: Any) -> Forward:  # mutation
    def forward(x: Tensor) -> object:
        answer = module(x)
        x.zero_()
        return answer

    return forward


def mutates_weight(module: Any) -> Forward:  # mutation
    def forward(x: Tensor) -> object:
        answer = module(x)
        module.head.bias.add_(1.0)
        return answer

    return forward


def replaces_weight(module: Any) -> Forward:  # mutation
    def forward(x: Tensor) -> object:
        answer = module(x)
        module.head.bias = nn.Parameter(module.head.bias + 1.0)
        return answer

    return forward


def wrong_dtype(module: Any) -> Forward:  # dtype
    return lambda x: module(x).double()


def wrong_strides(module: Any) -> Forward:  # strides
    return lambda x: module(x).t().contiguous().t()


def wrong_structure(module: Any) -> Forward:  # structure
    return lambda x: (module(x),)


def parameter(module: Any) -> Forward:  # type
    return lambda x: nn.Parameter(module(x))


def half_precision(module: Any) -> Forward:  # accuracy
    narrow = module.bfloat16()
    return lambda x: narrow(x.bfloat16()).float()


def narrow_detour(module: Any) -> Forward:  # claims
    def forward(x: Tensor) -> object:
        x.half().mul(2)
        return module(x)

    return forward


def unwritten(module: Any) -> Forward:  # special values
    def forward(x: Tensor) -> Tensor:
        answer = torch.empty(x.shape[0], 40)
        answer[:-1] = module(x)[:-1]
        return answer

    return forward


def swallows_nan(module: Any) -> Forward:  # special values
    return lambda x: module(x).nan_to_num()


def contiguous_only(module: Any) -> Forward:  # accuracy
    return lambda x: module(torch.as_strided(x, x.shape, (x.shape[1], 1)))


def drawn_weights_only(module: Any) -> Forward:  # accuracy, with perturbed weights
    return lambda x: module.head(torch.relu(module.hidden(x) / (1 + 1e-5) ** 0.5))


def other_settings(module: Any) -> object:  # settings
    torch.set_float32_matmul_precision("medium")
    return module


def lazy_after_a_while(module: Any) -> Forward:  # timed output
    calls = 0
    last: list[Tensor] = []

    def forward(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls < 16:
            last[:] = [module(x)]
        return last[0].clone()

    return forward


def raises(module: Any) -> Forward:  # runs
    def forward(x: Tensor) -> Tensor:
        raise ValueError("no\nthank you")

    return forward


def does_not_load(module: Any) -> Forward:  # loads
    raise RuntimeError("cannot be built")
