"""Constants as text: what is written reads back as itself."""

import base64
import math
import zlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from netwright_fusion.emission import EmissionError
from netwright_fusion.emission.literal import Literals, number, tensor_literal

CONSTANTS = (
    torch.tensor(2.5),
    torch.tensor([1, -2, 3]),
    torch.tensor([[True, False]]),
    torch.arange(7),
    torch.full((2, 3), -1.5, dtype=torch.float64),
    torch.randn(3, 4, dtype=torch.bfloat16),
    torch.tensor([math.inf, -math.inf, 0.1]),
    torch.empty(0, 3),
    torch.arange(90_000).reshape(300, 300) % 7,
    torch.eye(80).bool(),
    torch.triu(torch.full((70, 70), -100.0, dtype=torch.bfloat16)),
)


@given(st.floats())
def test_a_number_reads_back_as_itself(value: float) -> None:
    again = eval(number(value))
    assert again == value or (math.isnan(again) and math.isnan(value))


@pytest.mark.parametrize("constant", CONSTANTS, ids=lambda constant: f"{constant.dtype}-{tuple(constant.shape)}")
def test_a_tensor_reads_back_as_itself(constant: Tensor) -> None:
    again = eval(tensor_literal(constant, '"cpu"'), {"torch": torch, "base64": base64, "zlib": zlib})
    assert again.dtype is constant.dtype
    assert torch.equal(again, constant)


def test_a_large_constant_is_refused() -> None:
    with pytest.raises(EmissionError, match="a constant of 40,000 elements cannot be written down"):
        tensor_literal(torch.randn(200, 200), "")


def test_arguments_are_written_as_a_person_would() -> None:
    write = Literals(str, str, "x.device")
    values = ([1, 2], "a'b", float("-inf"), torch.float16, torch.device("cpu"), slice(1, None), (3,), [True])
    expected = ["(1, 2)", '"a\'b"', 'float("-inf")', "torch.float16", "x.device", "1:", "(3,)", "(True,)"]
    assert [write(value) for value in values] == expected
    with pytest.raises(EmissionError, match="an argument of type object"):
        write(object())
