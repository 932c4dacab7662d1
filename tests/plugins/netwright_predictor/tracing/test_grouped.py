"""Grouped products of fake tensors in every format."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from netwright_predictor.tracing.grouped import GroupedProducts, grouped_output

LEFT = {"rows in groups": (12, 8), "as many rows per group": (3, 4, 8)}
RIGHT = {"a matrix per group": (3, 8, 16), "columns in groups": (8, 24)}


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("right", RIGHT)
def test_shapes_are_those_that_torch_says_in_half_precision(left: str, right: str) -> None:
    with FakeTensorMode():
        first = torch.empty(LEFT[left], dtype=torch.bfloat16)
        second = torch.empty(RIGHT[right], dtype=torch.bfloat16)
        both = first.dim() == second.dim() == 3
        ends = None if both else torch.empty(3, dtype=torch.int32)
        if first.dim() == second.dim() == 2:
            second = torch.empty(8, 24, dtype=torch.bfloat16)
        expected = torch._grouped_mm(first, second, ends)
        assert grouped_output(first, second, ends).shape == expected.shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_every_format_is_taken(dtype: torch.dtype) -> None:
    with FakeTensorMode(), GroupedProducts():
        ends = torch.empty(3, dtype=torch.int32)
        product = torch._grouped_mm(torch.empty(12, 8, dtype=dtype), torch.empty(3, 8, 16, dtype=dtype), ends)
    assert product.shape == (12, 16)
    assert product.dtype == dtype
