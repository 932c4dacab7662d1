"""Variants of `models.Perceptron` that cheat, one way each; the comment names the check that must catch it."""

import os
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

Forward = Callable[[Tensor], object]


def zeros(module: nn.Module) -> Forward:  # accuracy
    return lambda x: torch.zeros(x.shape[0], 40)


def constant(module: nn.Module) -> Forward:  # accuracy
    answer = module(torch.zeros(8, 16)).detach()
    return lambda x: answer.clone()


def first_output(module: nn.Module) -> Forward:  # accuracy
    known: dict[int, Tensor] = {}

    def forward(x: Tensor) -> Tensor:
        if x.data_ptr() not in known:
            known[x.data_ptr()] = module(x)
        return known[x.data_ptr()].clone()

    return forward


def aliases_input(module: nn.Module) -> Forward:  # aliasing
    def forward(x: Tensor) -> Tensor:
        answer = module(x)
        x.resize_(answer.shape).copy_(answer)
        return x

    return forward


def mutates_input(module: nn.Module) -> Forward:  # mutation
    def forward(x: Tensor) -> object:
        answer = module(x)
        x.zero_()
        return answer

    return forward


def mutates_weight(module: nn.Module) -> Forward:  # mutation
    def forward(x: Tensor) -> object:
        answer = module(x)
        module.head.bias.add_(1.0)  # type: ignore[union-attr, operator]
        return answer

    return forward


def wrong_dtype(module: nn.Module) -> Forward:  # dtype
    return lambda x: module(x).double()


def wrong_strides(module: nn.Module) -> Forward:  # strides
    return lambda x: module(x).t().contiguous().t()


def wrong_structure(module: nn.Module) -> Forward:  # structure
    return lambda x: (module(x),)


def parameter(module: nn.Module) -> Forward:  # type
    return lambda x: nn.Parameter(module(x))


def half_precision(module: nn.Module) -> Forward:  # accuracy
    narrow = module.bfloat16()
    return lambda x: narrow(x.bfloat16()).float()


def unwritten(module: nn.Module) -> Forward:  # special values
    def forward(x: Tensor) -> Tensor:
        answer = torch.empty(x.shape[0], 40)
        answer[:-1] = module(x)[:-1]
        return answer

    return forward


def swallows_nan(module: nn.Module) -> Forward:  # special values
    return lambda x: module(x).nan_to_num()


def contiguous_only(module: nn.Module) -> Forward:  # accuracy
    return lambda x: module(torch.as_strided(x, x.shape, (x.shape[1], 1)))


def drawn_weights_only(module: nn.Module) -> Forward:  # accuracy, with perturbed weights
    return lambda x: module.head(torch.relu(module.hidden(x) / (1 + 1e-5) ** 0.5))  # type: ignore[operator]


def no_timers(module: nn.Module) -> Forward:  # nothing: the clock was wound before
    time.perf_counter_ns = lambda: 0  # type: ignore[assignment]
    return lambda x: module(x)


def other_settings(module: nn.Module) -> Forward:  # settings
    torch.set_float32_matmul_precision("medium")
    return lambda x: module(x)


def lazy_after_a_while(module: nn.Module) -> Forward:  # timed output
    calls = 0
    last: list[Tensor] = []

    def forward(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls < 16:
            last[:] = [module(x)]
        return last[0].clone()

    return forward


def raises(module: nn.Module) -> Forward:  # runs
    def forward(x: Tensor) -> Tensor:
        raise ValueError("no\nthank you")

    return forward


def does_not_load(module: nn.Module) -> Forward:  # loads
    raise RuntimeError("cannot be built")


def crashes(module: nn.Module) -> Forward:  # runs
    def forward(x: Tensor) -> Tensor:
        print("about to crash")
        os.abort()

    return forward


def exits(module: nn.Module) -> Forward:  # loads
    os._exit(3)


def hangs(module: nn.Module) -> Forward:  # loads
    while True:
        time.sleep(1)
