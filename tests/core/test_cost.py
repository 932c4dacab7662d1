"""Tests of the counter of MACs and FLOPs, against numbers worked out by hand."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright.cost import count_cost, count_parameters
from netwright.errors import NetwrightError


def cost_of(function: Callable[..., object], *args: Tensor) -> tuple[int, dict[str, int]]:
    class Wrapper(nn.Module):
        def forward(self, *values: Tensor) -> object:
            return function(*values)

    cost = count_cost(Wrapper(), Inputs(args))
    return cost.macs, cost.uncounted


sizes = st.integers(1, 6)


@settings(deadline=None, max_examples=20)
@given(sizes, sizes, sizes)
def test_a_linear_layer(batch: int, inputs: int, outputs: int) -> None:
    cost = count_cost(nn.Linear(inputs, outputs), Inputs((torch.zeros(batch, inputs),)))
    assert cost.macs == batch * inputs * outputs
    assert cost.flops == 2 * cost.macs
    assert cost.parameters == outputs * (inputs + 1)


@settings(deadline=None, max_examples=20)
@given(sizes, st.sampled_from([1, 2]), sizes, st.sampled_from([1, 3]), st.booleans())
def test_a_convolution(batch: int, groups: int, width: int, kernel: int, transposed: bool) -> None:
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    layer = kind(2 * width, 4 * width, kernel, groups=groups)
    x = torch.zeros(batch, 2 * width, 7, 5)
    positions = 7 * 5 if transposed else (8 - kernel) * (6 - kernel)
    assert count_cost(layer, Inputs((x,))).macs == batch * positions * (2 * width) * (4 * width) * kernel**2 // groups


def test_attention_counts_scores_and_values_for_every_query_head() -> None:
    query, key = torch.zeros(2, 4, 5, 8), torch.zeros(2, 4, 7, 8)
    attention = nn.functional.scaled_dot_product_attention
    assert cost_of(attention, query, key, key) == (2 * 4 * 5 * 7 * (8 + 8), {})

    def grouped(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return attention(query, key, value, enable_gqa=True)

    few = torch.zeros(2, 2, 7, 8)
    assert cost_of(grouped, query, few, few) == (2 * 4 * 5 * 7 * (8 + 8), {})


def test_a_grouped_product_counts_each_row_once() -> None:
    if not hasattr(torch.ops.aten, "_grouped_mm"):
        pytest.skip("this torch has no grouped product")
    rows, experts = torch.zeros(16, 8, dtype=torch.bfloat16), torch.zeros(4, 8, 24, dtype=torch.bfloat16)
    offsets = torch.tensor([4, 8, 12, 16], dtype=torch.int32)

    def product(rows: Tensor, experts: Tensor, offsets: Tensor) -> Tensor:
        return torch._grouped_mm(rows, experts, offs=offsets)

    assert cost_of(product, rows, experts, offsets) == (16 * 8 * 24, {})


@pytest.mark.parametrize(("layer", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers(layer: Callable[..., nn.Module], gates: int) -> None:
    module = layer(8, 16, num_layers=2, bidirectional=True)
    cost = count_cost(module, Inputs((torch.zeros(5, 3, 8),)))
    assert cost.macs == 5 * 3 * 2 * gates * 16 * ((8 + 16) + (32 + 16))
    assert cost.uncounted == {}


def test_vectors() -> None:
    matrix, vector = torch.zeros(3, 4), torch.zeros(4)
    assert cost_of(torch.mv, matrix, vector) == (12, {})
    assert cost_of(torch.dot, vector, vector) == (4, {})
    assert cost_of(torch.addmv, torch.zeros(3), matrix, vector) == (12, {})
    assert cost_of(torch.addbmm, torch.zeros(3, 5), torch.zeros(2, 3, 4), torch.zeros(2, 4, 5)) == (2 * 3 * 4 * 5, {})


def test_what_has_no_formula_is_listed() -> None:
    macs, uncounted = cost_of(torch.cdist, torch.zeros(30, 4), torch.zeros(30, 4))
    assert macs == 0
    assert sum(uncounted.values()) == 1
    assert cost_of(torch.fft.rfft, torch.zeros(8))[1] != {}


def test_cheap_operators_are_not_listed() -> None:
    block = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Softmax(1)
    )
    assert count_cost(block, Inputs((torch.zeros(2, 3, 8, 8),))).uncounted == {}


def test_every_module_has_its_share() -> None:
    inner = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
    cost = count_cost(nn.Sequential(inner, nn.Linear(6, 2)), Inputs((torch.zeros(3, 4),)))
    assert cost.macs_by_module == {"": 3 * 36, "0": 3 * 24, "0.0": 3 * 24, "1": 3 * 12}


def test_the_module_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout()).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    inputs, random = Inputs((torch.rand(3, 4),)), torch.get_rng_state()
    count_cost(module, inputs)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in module.parameters())
    assert torch.equal(torch.get_rng_state(), random)


class LooksAtValues(nn.Module):
    """Shapes alone do not tell what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return x @ x.t() if float(x.detach().sum()) < 1e9 else x


def test_a_module_that_looks_at_values_is_called_for_real_and_left_as_it_was() -> None:
    module = LooksAtValues().train()
    cost = count_cost(module, Inputs((torch.rand(3, 4),)))
    assert cost.macs == 3 * 3 * 4
    assert module.state_dict()["norm.num_batches_tracked"].item() == 0


def test_a_large_module_costs_nothing_to_count() -> None:
    with torch.device("meta"):
        module, x = nn.Linear(1 << 20, 1 << 20), torch.zeros(1, 1 << 20)
    cost = count_cost(module, Inputs((x,)))
    assert cost.macs == 1 << 40
    assert cost.parameters == (1 << 40) + (1 << 20)


def test_tied_parameters_count_once() -> None:
    table, head = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)
    head.weight = table.weight
    assert count_parameters(nn.Sequential(table, head)) == 40
    head.weight = nn.Parameter(table.weight.data)
    assert count_parameters(nn.Sequential(table, head)) == 40


def test_inputs_may_be_nested_and_named() -> None:
    class Named(nn.Module):
        def forward(self, pair: tuple[Tensor, Tensor], *, more: dict[str, Tensor]) -> Tensor:
            return pair[0] @ pair[1] @ more["x"]

    square = torch.zeros(3, 3)
    assert count_cost(Named(), Inputs(((square, square),), {"more": {"x": square}})).macs == 54


def test_a_call_that_fails_says_why() -> None:
    with pytest.raises(NetwrightError, match="the cost of Linear cannot be counted"):
        count_cost(nn.Linear(3, 3), Inputs((torch.zeros(2, 4),)))


def test_attention_is_counted_where_torch_would_fuse_it() -> None:
    layer = nn.TransformerEncoderLayer(32, 4, 48, batch_first=True).eval()
    cost = count_cost(layer, Inputs((torch.rand(2, 6, 32),)))
    projections, scores, feed_forward = 4 * 32 * 32, 2 * 6 * 32, 2 * 32 * 48
    assert cost.macs == 2 * 6 * (projections + scores + feed_forward)
    assert not cost.uncounted
