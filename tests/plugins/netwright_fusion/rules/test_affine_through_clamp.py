"""Numbers that scale or shift clamped outputs of layers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.rules.affine_through_clamp import AffineThroughClamp
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES

CLAMPS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "clamp": lambda y: torch.clamp(y, -0.5, 0.7),
    "least": lambda y: torch.clamp(y, min=-0.2),
    "most": lambda y: torch.clamp(y, max=0.3),
    "hardtanh": F.hardtanh,
}
AFFINE = {
    "times": lambda y: y * 1.5,
    "over": lambda y: y / 3,
    "the other way": lambda y: -y,
    "over a negative number": lambda y: y / -0.5,
    "plus": lambda y: 0.25 + y,
    "minus": lambda y: y - 2,
}


@pytest.mark.parametrize("clamp", sorted(CLAMPS))
@pytest.mark.parametrize("affine", sorted(AFFINE))
@pytest.mark.parametrize("bias", [True, False])
def test_numbers(check, clamp, affine, bias):
    x, parameters = torch.randn(2, 3, 6, 6).double(), {"weight": torch.randn(4, 3, 3, 3).double()}
    if bias:
        parameters["bias"] = torch.randn(4).double()
    _, applied = check(
        AffineThroughClamp(), lambda x, **p: AFFINE[affine](CLAMPS[clamp](F.conv2d(x, **p))), [x], times=1, **parameters
    )
    assert applied[0].bytes_removed > 0


def test_leaky_relu(check):
    x, weight = torch.randn(5, 3).double(), torch.randn(4, 3).double()
    check(AffineThroughClamp(), lambda x, weight: F.leaky_relu(F.linear(x, weight), 0.2) * 3, [x], weight=weight)


def test_leaves_others_alone(check):
    x, weight = torch.randn(5, 3).double(), torch.randn(4, 3).double()
    for function in (
        lambda x, weight: F.leaky_relu(F.linear(x, weight)) * -1.5,
        lambda x, weight: torch.clamp(F.linear(x, weight), 1, -1) * -1.5,
        lambda x, weight: F.relu(F.linear(x, weight)) * 0.0,
        lambda x, weight: F.leaky_relu(F.linear(x, weight)) + 1,
        lambda x, weight: F.relu(F.linear(x, weight)) * weight.sum(),
        lambda x, weight: F.gelu(F.linear(x, weight)) * 2,
        lambda x, weight: F.relu(F.linear(x, weight).cos()) * 2,
        lambda x, weight: (y := F.relu(F.linear(x, weight))) * 2 + y,
        lambda x, weight: F.relu(y := F.linear(x, weight)) * 2 + y,
    ):
        check(AffineThroughClamp(), function, [x], times=0, weight=weight)


class Clamped(nn.Module):
    """A transposed convolution, batch norm, a clamp and a divisor."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.ConvTranspose2d(3, 4, 3, stride=2), nn.BatchNorm2d(4)

    def forward(self, x):
        return torch.clamp(self.norm(self.conv(x)), min=-1.0) / 2.0


def test_a_module():
    torch.manual_seed(0)
    inputs = Inputs(args=(torch.randn(2, 3, 6, 6).double(),), kwargs={})
    captured = capture(Clamped().double().eval(), inputs).copy()
    expected = captured.call(inputs)
    applied = apply_rules(captured.graph, RULES, training=False)
    assert "scale or shift through clamp" in [each.rule.name for each in applied]
    torch.testing.assert_close(captured.call(inputs), expected, rtol=1e-10, atol=1e-10)
