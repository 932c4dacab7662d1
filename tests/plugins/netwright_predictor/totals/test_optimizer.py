"""Bytes of optimizers' states, held against torch's own."""

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor as Parameter
from torch import nn

from netwright.errors import UserError
from netwright_predictor.totals.optimizer import OPTIMIZERS, Tensor, state_bytes

SHAPES = ((64, 48), (48,), (3, 20, 10))
Make = Callable[[Iterable[Parameter]], torch.optim.Optimizer]


def measured_state(make: Make, shapes: Iterable[tuple[int, ...]], dtype: torch.dtype) -> int:
    parameters = [nn.Parameter(torch.zeros(shape, dtype=dtype)) for shape in shapes]
    optimizer = make(parameters)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    tensors = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Parameter)]
    return sum(each.numel() * each.element_size() for each in tensors)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize(
    ("name", "make", "shapes"),
    [
        ("adamw", torch.optim.AdamW, SHAPES),
        ("sgd", lambda parameters: torch.optim.SGD(parameters, lr=0.1), SHAPES),
        ("sgd_momentum", lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9), SHAPES),
        ("adafactor", torch.optim.Adafactor, SHAPES),
        ("muon", torch.optim.Muon, SHAPES[:1]),
    ],
)
def test_states_are_those_of_torch(
    name: str, make: Make, shapes: Iterable[tuple[int, ...]], dtype: torch.dtype
) -> None:
    tensors = [Tensor(shape, dtype.itemsize) for shape in shapes]
    assert state_bytes(name, tensors) == measured_state(make, shapes, dtype)


def test_mixed_precision_keeps_twelve_bytes_per_parameter() -> None:
    """ZeRO, arXiv:1910.02054, section 3.1: float32 weights, momentum and variance."""
    assert state_bytes("adamw_fp32", [Tensor((1000, 1000), 2)]) == 12 * 1000**2 + 4


def test_eight_bit_moments_have_a_scale_per_block() -> None:
    assert state_bytes("adam8bit", [Tensor((256, 256), 2)]) == 2 * (256 * 256 + 256 * 4)


def test_small_parameters_keep_whole_moments() -> None:
    assert state_bytes("adam8bit", [Tensor((100,), 2)]) == 2 * 4 * 100


def test_no_optimizer_keeps_nothing() -> None:
    assert state_bytes("none", [Tensor((10, 10), 4)]) == 0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_states_add_up_over_parameters(name: str) -> None:
    tensors = [Tensor((128, 64), 2), Tensor((64,), 2)]
    assert state_bytes(name, tensors) == sum(state_bytes(name, [each]) for each in tensors)


def test_an_unknown_optimizer_is_one_clear_line() -> None:
    with pytest.raises(UserError, match="did you mean 'adamw'"):
        state_bytes("adamv", [])
