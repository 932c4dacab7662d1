"""Scales and shifts of normalised values."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.affine_into_norm import AffineIntoNorm
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES

CHANNELS = {
    "batch": lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
    "group": lambda x, w, b: F.group_norm(x, 2, w, b),
    "instance": lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
}
AFFINE = {
    "number": lambda y, _: y * 0.3,
    "sign": lambda y, _: -y,
    "divided": lambda y, p: y / p,
    "scaled": lambda y, p: p * y,
    "shifted": lambda y, p: y + p,
    "subtracted": lambda y, p: y - p,
    "plus": lambda y, _: 1.5 + y,
}


@settings(max_examples=30, deadline=None)
@given(
    norm=st.sampled_from(sorted(CHANNELS)),
    affine=st.sampled_from(sorted(AFFINE)),
    own=st.booleans(),
    single=st.booleans(),
)
def test_by_channel(check, norm, affine, own, single):
    x, p = torch.randn(3, 4, 2, 5).double(), torch.rand(1 if single else 4, 1, 1).double() + 0.5
    parameters = {"w": torch.randn(4).double(), "b": torch.randn(4).double()} if own else {}

    def function(x, p, w=None, b=None):
        return AFFINE[affine](CHANNELS[norm](x, w, b), p)

    _, applied = check(AffineIntoNorm(), function, [x], times=1, p=p, **parameters)
    assert applied[0].bytes_removed > 0


@settings(max_examples=15, deadline=None)
@given(
    affine=st.sampled_from(sorted(AFFINE)),
    own=st.booleans(),
    sizes=st.sampled_from([(5,), (2, 5)]),
    varying=st.sampled_from([(5,), (1, 1, 5), (1,)]),
)
def test_by_element(check, affine, own, sizes, varying):
    x, p = torch.randn(3, 4, 2, 5).double(), torch.rand(varying).double() + 0.5
    parameters = {"w": torch.randn(sizes).double(), "b": torch.randn(sizes).double()} if own else {}

    def function(x, p, w=None, b=None):
        return AFFINE[affine](F.layer_norm(x, sizes, w, b), p)

    check(AffineIntoNorm(), function, [x], times=1, p=p, **parameters)
    if affine in ("number", "scaled"):
        check(
            AffineIntoNorm(),
            lambda x, p, w: AFFINE[affine](F.rms_norm(x, w.shape, w), p),
            [x],
            p=p,
            w=torch.ones(sizes).double(),
        )


def test_leaves_others_alone(check):
    x, p, rows = torch.randn(3, 4, 2, 5).double(), torch.randn(4).double(), torch.randn(4, 1, 1).double()
    for function in (
        lambda x, **_: F.rms_norm(x, (5,)) + 1.0,
        lambda x, rows, **_: F.layer_norm(x, (2, 5)) * rows,
        lambda x, **_: F.group_norm(x, 2) * x,
        lambda x, rows, **_: (y := F.group_norm(x, 2)) * rows + y,
        lambda x, p, **_: F.group_norm(x.transpose(1, 3), 1) * p,
        lambda x, **_: F.group_norm(x, 2) * 0.0,
    ):
        check(AffineIntoNorm(), function, [x], times=0, p=p, rows=rows)


class Scaled(nn.Module):
    """A convolution whose batch norm's output is scaled and shifted."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.scale = nn.Parameter(torch.rand(4, 1, 1))

    def forward(self, x):
        return torch.tanh(self.norm(self.conv(x)) * self.scale / 2 + 1)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_remembers_the_same(training):
    torch.manual_seed(0)
    module = Scaled().double().train(training)
    inputs = Inputs(args=(torch.randn(2, 3, 6, 6).double(),), kwargs={})
    captured, reference = capture(module, inputs).copy(), capture(module, inputs)
    applied = apply_rules(captured.graph, RULES, training=training)
    names = [each.rule.name for each in applied]
    assert names.count("scale or shift into normalisation") == (3 if training else 0)
    torch.testing.assert_close(captured.call(inputs), reference.call(inputs), rtol=1e-10, atol=1e-10)
    theirs = dict(reference.graph.named_buffers())
    for name, ours in captured.graph.named_buffers():
        torch.testing.assert_close(ours, theirs[name], msg=name)
