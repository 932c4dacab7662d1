"""Picks of what was computed, made picks of what it is computed from."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.pick_earlier import PickEarlier

ROW_BY_ROW = {
    "pointwise": lambda x, w: torch.where(x > 0, x * w, x - w.sum()) + x.relu(),
    "layer norm": lambda x, w: F.layer_norm(x, (6,), w),
    "rms norm": lambda x, w: F.rms_norm(x, (6,), w),
    "softmax": lambda x, **_: torch.softmax(x, -1),
    "product's rows": lambda x, w: x @ w.outer(w),
    "transposition": lambda x, **_: (x.cos().transpose(1, 2) * 2).transpose(1, 2),
    "view": lambda x, **_: x.cos().view(2, 8, 3, 2),
    "flattening": lambda x, **_: x.cos().view(2, 8, 3, 2).flatten(2),
    "unsqueezing": lambda x, **_: x.cos().unsqueeze(-1),
    "mean": lambda x, **_: x.cos().mean(2),
    "concatenation": lambda x, **_: torch.cat([x.sin(), x.cos()], -1),
    "parts": lambda x, **_: torch.cat([x[:, :3].sin(), x[:, 3:].cos()], 1),
    "padding": lambda x, **_: F.pad(x.cos(), (1, 0)),
    "slice": lambda x, **_: F.pad(x.cos(), (0, 0, 2, 1))[:, 2:-1],
    "einsum": lambda x, w: torch.einsum("bti,btj,k->btk", x, x, w),
    "flip": lambda x, **_: x.cos().flip(2),
    "flipped rows": lambda x, **_: x.cos().flip(0, 1),
    "running sum": lambda x, **_: x.cumsum(2),
    "running sum of rows": lambda x, **_: x.cumsum(1),
    "attention": lambda x, w: F.scaled_dot_product_attention(x, x * w, x),
    "masked attention": lambda x, w: F.scaled_dot_product_attention(x, x, x * w, attn_mask=torch.ones(8, 8) * w.sum()),
}
PICKS = (lambda y: y[:, -1], lambda y: y[:, 0], lambda y: y[:, 1:3], lambda y: y[:, 4::2])


@pytest.mark.parametrize("name", sorted(ROW_BY_ROW))
@pytest.mark.parametrize("pick", PICKS)
def test_row_by_row(check, name, pick):
    x, w = torch.randn(2, 8, 6).double(), torch.randn(6).double()
    _, applied = check(PickEarlier(), lambda x, w: pick(ROW_BY_ROW[name](x, w=w)), [x], w=w)
    assert sum(each.bytes_removed for each in applied) > 0


@settings(max_examples=25, deadline=None)
@given(
    spatial=st.integers(1, 2),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 2),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 2),
    start=st.integers(0, 4),
    count=st.integers(1, 2),
    step=st.integers(1, 2),
)
def test_positions_of_convolutions(check, spatial, kernel, stride, padding, dilation, start, count, step):
    x, weight = torch.randn(2, 3, *[14] * spatial).double(), torch.randn(4, 3, *[kernel] * spatial).double()
    outputs = (14 + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    assume(2 * count <= outputs and start + step * (count - 1) < outputs)
    assume(stride * (start + step * (count - 1)) + dilation * (kernel - 1) >= padding)

    def function(x, weight):
        convolve = (F.conv1d, F.conv2d)[spatial - 1]
        y = convolve(x, weight, stride=stride, padding=padding, dilation=dilation)
        return y[:, :, start : start + step * (count - 1) + 1 : step]

    _, applied = check(PickEarlier(), function, [x], weight=weight)
    assert sum(each.flops_removed for each in applied) > 0


@settings(max_examples=15, deadline=None)
@given(left=st.integers(0, 3), right=st.integers(0, 3), start=st.integers(0, 8), count=st.integers(1, 4))
def test_padded(check, left, right, start, count):
    x = torch.randn(2, 5, 3).double()
    assume(left + right and start + count < 5 + left + right and start < 5 + left and start + count > left)
    check(PickEarlier(), lambda x: F.pad(x.cos(), (0, 0, left, right))[:, start : start + count], [x])


def test_defaults_are_not_written_down(check):
    graph, _ = check(PickEarlier(), lambda x: x.transpose(1, 2).contiguous()[:, 1:], [torch.randn(2, 3, 4).double()])
    (copied,) = graph.graph.find_nodes(op="call_function", target=torch.ops.aten.contiguous.default)
    assert not copied.kwargs


def test_the_last_query_sees_all_keys(check):
    x = torch.randn(2, 8, 6).double()

    def attend(x):
        return F.scaled_dot_product_attention(x, x, x, is_causal=True)

    _, applied = check(PickEarlier(), lambda x: attend(x)[:, -1], [x], times=1)
    assert applied[0].flops_removed == 2 * 2 * 7 * 8 * 12
    check(PickEarlier(), lambda x: attend(x)[:, -2], [x], times=0)


def test_running_sums_keep_their_type(check):
    x = torch.randn(2, 8, 6)
    check(PickEarlier(), lambda x: x.cumsum(1, dtype=torch.float64)[:, -1], [x], times=1)
    check(PickEarlier(), lambda x: (x > 0).cumsum(1)[:, 3], [x], times=2)
    check(PickEarlier(), lambda x: x.round().int().cumsum(-1)[..., -1:], [x], times=1)


def test_running_sums_lose_no_digits(sketch):
    x = 1000 * torch.randn(4, 5000)
    graph = sketch(lambda x: x.cumsum(1)[:, -1], {}, [x])
    assert apply_rules(graph, [PickEarlier()], training=False)
    exact = x.double().sum(1)
    assert (graph(x) - exact).abs().max() <= 2 * (x.cumsum(1)[:, -1] - exact).abs().max()


def test_several_picks_need_what_lies_between(check):
    x = torch.randn(2, 8, 6).double()
    for function in (
        lambda x: (y := x.cos())[:, 2] + y[:, 3:5].sum(1),
        lambda x: (y := x.cos())[:, 1:3] * y[:, 3:5] * y[:, 1:3],
        lambda x: torch.cat([(y := x.cos())[:, :2], y[:, 1:6]], 1),
    ):
        _, applied = check(PickEarlier(), function, [x], times=1)
        assert applied[0].bytes_removed > 0
    check(PickEarlier(), lambda x: (y := x.cos())[:, 0] + y[:, 7], [x], times=0)
    check(PickEarlier(), lambda x: (y := x.cos())[:, 0] + y[:, :, 0], [x[:, :6]], times=0)


def test_leaves_what_needs_everything_alone(check):
    x, w = torch.randn(2, 8, 6).double(), torch.randn(6).double()
    for function in (
        lambda x, **_: torch.softmax(x, 1)[:, 0],
        lambda x, **_: F.layer_norm(x, (8, 6))[:, 0],
        lambda x, **_: x.cumsum(1)[:, 2:],
        lambda x, **_: (y := x.cos())[:, 0] + y.sum(),
        lambda x, **_: x.cos()[:, :],
        lambda x, **_: x.cos().view(2, 4, 12)[:, 0],
        lambda x, w: F.conv1d(x, w.sum().expand(4, 8, 1))[:, :, :4],
        lambda x, **_: torch.cat([x.sin(), x.cos()], 1)[:, 7:9],
        lambda x, w: F.conv1d(x, w.sum().expand(4, 8, 1), padding=2)[:, :, :1],
    ):
        check(PickEarlier(), function, [x], times=0, w=w)


class Block(nn.Module):
    """A Transformer block, the norms first."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        y = self.first(x)
        q, k, v = (
            layer(y).view(batch, tokens, self.heads, -1).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out(y.transpose(1, 2).reshape(batch, tokens, width))
        return x + self.down(F.gelu(self.up(self.second(x))))


class OneToken(nn.Module):
    """A small Transformer of whose tokens only one is classified."""

    def __init__(self, token: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*[Block(16, 2, causal=token == -1) for _ in range(2)])
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 5)
        self.token = token

    def forward(self, x):
        return self.head(self.norm(self.blocks(x))[:, self.token])


@pytest.mark.parametrize("token", [0, -1])
def test_a_token_of_a_transformer(token):
    torch.manual_seed(0)
    inputs = Inputs(args=(torch.randn(3, 9, 16).double(),), kwargs={})
    captured = capture(OneToken(token).double().eval(), inputs).copy()
    expected = captured.call(inputs)
    applied = apply_rules(captured.graph, RULES, training=False)
    torch.testing.assert_close(captured.call(inputs), expected, rtol=1e-10, atol=1e-10)
    width, tokens, samples = 16, 9, 3
    per_token = 2 * (2 * width * width + 8 * width * width) + 2 * 2 * tokens * width
    assert sum(each.flops_removed for each in applied) == samples * (tokens - 1) * per_token


class Temporal(nn.Module):
    """Dilated convolutions that see the past only, of which the last step is used (Bai et al. 2018)."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.cut = cut
        self.layers = nn.ModuleList(
            [nn.Conv1d(4, 4, 3, dilation=2**index, padding=2 * 2**index * cut) for index in range(3)]
        )

    def forward(self, x):
        for index, layer in enumerate(self.layers):
            reach = 2 * 2**index
            y = layer(x)[:, :, :-reach] if self.cut else layer(F.pad(x, (reach, 0)))
            x = torch.relu(x + torch.relu(y))
        return x[:, :, -1]


@pytest.mark.parametrize("cut", [False, True])
def test_the_last_step_of_a_temporal_network(cut):
    torch.manual_seed(0)
    inputs = Inputs(args=(torch.randn(3, 4, 64).double(),), kwargs={})
    captured = capture(Temporal(cut).double(), inputs).copy()
    expected = captured.call(inputs)
    applied = apply_rules(captured.graph, RULES, training=True)
    torch.testing.assert_close(captured.call(inputs), expected, rtol=1e-10, atol=1e-10)
    steps = [64 + 2 * 2**index * cut - needed for index, needed in enumerate((13, 9, 1))]
    assert sum(each.flops_removed for each in applied) == 3 * 2 * 48 * sum(steps)
