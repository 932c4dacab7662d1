"""Tests of computing in float64."""

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright.harness.oracle import cast_inputs, cast_module, in_float64, working_dtype


class Casting(nn.Module):
    """Code that insists on float32 wherever it can."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(16, 16))
        self.plain = torch.rand(16)

    def forward(self, x: Tensor) -> Tensor:
        y = (x.float() @ self.weight.to(torch.float32)) * self.plain
        positions = torch.arange(16, dtype=torch.float32) / 3
        scale = torch.full((16,), 1 / 3)
        return torch.softmax(y + positions, -1, dtype=torch.float32) * scale + torch.zeros_like(y, dtype=torch.float32)


class Spectral(nn.Module):
    """Complex weights, and complex numbers of real ones."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(9, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x.to(torch.float32)) * self.weight + torch.zeros(9, dtype=torch.complex64)


def test_complex_numbers_get_twice_the_width_and_keep_both_parts() -> None:
    torch.manual_seed(0)
    module, x = Spectral(), torch.randn(4, 16)
    expected = torch.fft.rfft(x.double()) * module.weight.detach().to(torch.complex128)
    cast_module(module, torch.float64)
    with torch.no_grad(), in_float64(torch.float32):
        result = module(*cast_inputs(Inputs((x,)), torch.float64).args)
    assert result.dtype == torch.complex128
    assert float((result - expected).abs().max()) < 1e-14


def test_code_that_asks_for_float32_gets_float64() -> None:
    torch.manual_seed(0)
    module, x = Casting(), torch.randn(4, 16)
    wide = [value.double() for value in (module.weight.detach(), module.plain, x)]
    expected = torch.softmax((wide[2] @ wide[0]) * wide[1] + torch.arange(16).double() / 3, -1) / 3
    with torch.no_grad(), in_float64(torch.float32):
        result = module.double()(x.double())
    assert result.dtype == torch.float64
    assert float((result - expected).abs().max()) < 1e-15


@pytest.mark.parametrize(
    ("left", "right", "offs"),
    [
        ((16, 8), (2, 8, 24), (6, 16)),
        ((2, 16, 8), (2, 8, 24), None),
        ((2, 16, 8), (8, 24), (8, 24)),
        ((16, 8), (8, 24), (3, 8)),
    ],
)
def test_the_grouped_product_has_a_float64_too(
    left: tuple[int, ...], right: tuple[int, ...], offs: tuple[int, ...] | None
) -> None:
    if not hasattr(torch, "_grouped_mm"):
        pytest.skip("this torch has no grouped product")
    torch.manual_seed(0)
    operands = torch.randint(-4, 4, left).bfloat16(), torch.randint(-4, 4, right).bfloat16()
    ends = torch.tensor(offs, dtype=torch.int32) if offs else None
    narrow = torch._grouped_mm(*operands, offs=ends)
    with in_float64(torch.bfloat16):
        wide = torch._grouped_mm(*operands, offs=ends)
    assert wide.dtype == torch.float64
    assert torch.equal(wide, narrow.double())


def test_random_numbers_are_those_of_the_narrow_type() -> None:
    x = torch.ones(1000)
    torch.manual_seed(3)
    narrow = nn.functional.dropout(x, 0.3)
    torch.manual_seed(3)
    with in_float64(torch.float32):
        wide = nn.functional.dropout(x.double(), 0.3)
    assert wide.dtype == torch.float64
    assert torch.equal(narrow != 0, wide != 0)


def test_noise_drawn_by_a_factory_is_the_same_number() -> None:
    torch.manual_seed(3)
    narrow = torch.randn(5) + torch.empty(5).uniform_()
    torch.manual_seed(3)
    with in_float64(torch.float32):
        wide = torch.randn(5) + torch.empty(5).uniform_()
    assert wide.dtype == torch.float64
    assert torch.allclose(narrow.double(), wide, atol=1e-6)


def test_in_place_operators_work_in_place() -> None:
    total = torch.zeros(3, dtype=torch.float64)
    with in_float64(torch.float32):
        total.add_(torch.ones(3, dtype=torch.float32)).mul_(2)
    assert total.tolist() == [2.0, 2.0, 2.0]


def test_the_default_type_is_back_afterwards() -> None:
    with in_float64(torch.float32):
        assert torch.zeros(1).dtype == torch.float64
    assert torch.zeros(1).dtype == torch.float32


@pytest.mark.parametrize(
    ("module", "inputs", "dtype"),
    [
        (nn.Linear(2, 2), (), torch.float32),
        (nn.Sequential(nn.Linear(20, 20).bfloat16(), nn.LayerNorm(20)), (), torch.bfloat16),
        (nn.ReLU(), (torch.zeros(3, dtype=torch.float16),), torch.float16),
        (nn.ReLU(), (torch.zeros(3, dtype=torch.int64),), torch.float32),
    ],
)
def test_the_type_that_a_module_works_in(module: nn.Module, inputs: tuple[Tensor, ...], dtype: torch.dtype) -> None:
    assert working_dtype(module, Inputs(inputs)) == dtype


def test_casting_inputs_copies_them_and_leaves_integers() -> None:
    given = Inputs((torch.ones(2), torch.ones(2, dtype=torch.int64)))
    cast = cast_inputs(given, torch.float32)
    assert [tensor.dtype for tensor in cast.args] == [torch.float32, torch.int64]
    assert all(new.data_ptr() != old.data_ptr() for new, old in zip(cast.args, given.args, strict=True))


def test_attention_without_dropout_is_computed_in_float64() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 4, 16, 8, dtype=torch.float64) for _ in range(3))
    exact = torch.softmax(q @ k.transpose(-1, -2) / 8**0.5, -1) @ v
    with torch.no_grad(), in_float64(torch.float32):
        found = nn.functional.scaled_dot_product_attention(q, k, v)
    assert (found - exact).abs().max() < 1e-14
