"""Linear layers of copies, alone and concatenated with other things."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.layer_of_copies import LayerOfCopies


@settings(max_examples=10, deadline=None)
@given(
    left=st.integers(1, 4),
    right=st.integers(2, 4),
    widths=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    outputs=st.integers(1, 4),
    bias=st.booleans(),
    repeat=st.booleans(),
)
def test_all_pairs(check, left, right, widths, outputs, bias, repeat):
    left = left + 1
    x, y = torch.randn(2, left, widths[0]).double(), torch.randn(2, right, widths[1]).double()
    parameters = {"weight": torch.randn(outputs, sum(widths)).double()}
    if bias:
        parameters["bias"] = torch.randn(outputs).double()

    def function(x, y, **p):
        x, y = x.unsqueeze(2), y.unsqueeze(1)
        if repeat:
            pairs = [x.repeat(1, 1, right, 1), y.repeat(1, left, 1, 1)]
        else:
            pairs = [x.expand(-1, -1, right, -1), y.expand(-1, left, -1, -1)]
        return F.linear(torch.cat(pairs, -1), **p)

    _, applied = check(LayerOfCopies(), function, [x, y], times=1, **parameters)
    products = left * right * sum(widths) - left * widths[0] - right * widths[1]
    assert applied[0].flops_removed == 2 * 2 * outputs * products


@settings(max_examples=10, deadline=None)
@given(first=st.booleans(), between=st.booleans(), pooled=st.booleans(), spatial=st.integers(1, 3), bias=st.booleans())
def test_a_whole_beside_its_points(check, first, between, pooled, spatial, bias):
    x = torch.randn(2, 3, *[4] * spatial).double()
    convolve = (F.conv1d, F.conv2d, F.conv3d)[spatial - 1]
    parameters = {"weight": torch.randn(4, 64 + 3 + 3 * between, *[1] * spatial).double()}
    if bias:
        parameters["bias"] = torch.randn(4).double()
    dims = tuple(range(2, 2 + spatial))

    def function(x, **p):
        whole = x.amax(dims, keepdim=True).repeat(1, 22, *[1] * spatial)[:, :64].cos()
        copies = F.interpolate(whole, x.shape[2:]) if pooled else whole.expand(-1, -1, *x.shape[2:])
        parts = [x, copies] if first else [copies, x]
        return convolve(torch.cat([*parts, x] if between else parts, 1), **p)

    _, applied = check(LayerOfCopies(), function, [x], times=1, **parameters)
    assert applied[0].flops_removed == 2 * 2 * 4 * 64 * (4**spatial - 1)


def test_copies_alone(check):
    x, weight, bias = torch.randn(2, 1, 3).double(), torch.randn(4, 3).double(), torch.randn(4).double()
    for copy in (
        lambda x: x.expand(-1, 5, -1),
        lambda x: x.repeat(1, 5, 1),
        lambda x: x.expand(2, 5, 3),
    ):
        graph, _ = check(
            LayerOfCopies(),
            lambda x, weight, bias, copy=copy: F.linear(copy(x), weight, bias),
            [x],
            times=1,
            weight=weight,
            bias=bias,
        )
        assert graph(x).is_contiguous()


def test_leaves_other_inputs_alone(check):
    x, y, weight = torch.randn(2, 5, 3).double(), torch.randn(2, 1, 1).double(), torch.randn(8, 4).double()
    for function in (
        lambda x, y, weight: F.linear(torch.cat([x, y.expand(-1, 5, -1)], -1), weight),
        lambda _x, y, weight: F.linear(y.expand(-1, 5, 4), weight),
        lambda x, *_, weight: F.linear(x.repeat(1, 2, 1), weight[:, :3]),
        lambda x, *_, weight: F.linear(torch.cat([x[:, :1], x[:, 1:]], 1), weight[:, :3]),
        lambda _x, y, weight: F.linear(torch.cat([y.expand(-1, 5, -1)] * 4, -1), weight),
    ):
        check(LayerOfCopies(), function, [x, y], times=0, weight=weight)


class AdditiveAttention(nn.Module):
    """Scores of a state for each step of a sequence, as in Bahdanau et al. 2015, the way that many write it."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(64 + 48, 32)
        self.score = nn.Linear(32, 1, bias=False)

    def forward(self, state, steps):
        states = state.unsqueeze(1).repeat(1, steps.size(1), 1)
        energy = torch.tanh(self.hidden(torch.cat((states, steps), dim=2)))
        return torch.softmax(self.score(energy).squeeze(2), dim=1)


def test_additive_attention():
    inputs = Inputs(args=(torch.randn(3, 64).double(), torch.randn(3, 7, 48).double()), kwargs={})
    captured = capture(AdditiveAttention().double(), inputs).copy()
    expected = captured.call(inputs)
    applied = apply_rules(captured.graph, RULES, training=True)
    assert [each.rule.name for each in applied if each.flops_removed > 0] == ["layer of copies"]
    torch.testing.assert_close(captured.call(inputs), expected, rtol=1e-10, atol=1e-10)
