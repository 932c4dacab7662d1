"""Convolutions by tiles: what they compute, how exactly, and which are left alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.convolution import Convolution
from netwright_fusion.rules.infinity import FINITE_INPUTS
from netwright_fusion.rules.tiles import convolution_by_tiles, tile_weights
from netwright_fusion.rules.winograd import Winograd


class Always(Winograd):
    """The rule where there is little to compute, too."""

    def pays(self, conv: Convolution, positions: int) -> bool:  # noqa: ARG002
        return True


PLAIN = {2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {2: F.conv_transpose2d, 3: F.conv_transpose3d}


@settings(max_examples=12, deadline=None)
@given(
    spatial=st.integers(2, 3),
    kernel=st.tuples(st.integers(1, 3), st.integers(2, 5), st.integers(2, 5)),
    padding=st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 2)),
    transposed=st.booleans(),
    bias=st.booleans(),
)
def test_convolutions(check, spatial, kernel, padding, transposed, bias):
    kernel = kernel[-spatial:]
    padding = tuple(min(pad, size - 1) for pad, size in zip(padding[-spatial:], kernel, strict=True))
    x = torch.randn(2, 16, *(5, 9, 10)[-spatial:]).double()
    weight = torch.randn(*((16, 17) if transposed else (17, 16)), *kernel).double()
    parameters = {"weight": weight, "bias": torch.randn(17).double()} if bias else {"weight": weight}

    def function(x, weight, bias=None):
        y = (TRANSPOSED if transposed else PLAIN)[spatial](x, weight, bias, padding=padding)
        return y.relu(), F.group_norm(y, 17).flatten(1)

    graph, applied = check(Always(), function, [x], times=1, finite=True, **parameters)
    assert graph(x)[0].stride() == function(x, **parameters)[0].stride()
    assert transposed or applied[0].flops_removed > 0  # a transposed one may have few inputs


@pytest.mark.parametrize("kernel", [(2, 5), (3, 3), (4, 2), (5, 4)])
def test_the_function_by_itself(kernel):
    x, weight, bias = torch.randn(2, 3, 11, 9).double(), torch.randn(4, 3, *kernel).double(), torch.randn(4).double()
    found = convolution_by_tiles(x, tile_weights(weight), bias, kernel, (1, 0))
    torch.testing.assert_close(found, F.conv2d(x, weight, bias, padding=(1, 0)))


@pytest.mark.parametrize("channels", [16, 256])
@pytest.mark.parametrize("draw", [torch.randn, torch.rand])
def test_error_in_single_precision(sketch, channels, draw):
    x, weight = draw(1, channels, 18, 18), (torch.rand(32, channels, 3, 3) - 0.5) / channels
    graph = sketch(F.conv2d, {"weight": weight}, [x])
    assert apply_rules(graph, [Always()], training=False)
    assert graph.meta[FINITE_INPUTS]
    exact = F.conv2d(x.double(), weight.double())

    def error(y):
        return (y.double() - exact).square().mean().sqrt()

    (found,) = graph(x)
    assert error(found) < 10 * error(F.conv2d(x, weight))


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda x, weight: F.conv2d(x, weight, stride=2), torch.float64),
        (lambda x, weight: F.conv2d(x, weight, dilation=2), torch.float64),
        (lambda x, weight: F.conv2d(x, weight[:, :8], groups=2), torch.float64),
        (lambda x, weight: F.conv2d(x, weight[..., :1, :1]), torch.float64),
        (lambda x, weight: F.conv2d(x, weight[..., :1, :]), torch.float64),
        (lambda x, weight: F.conv2d(x, weight.repeat(1, 1, 2, 2)), torch.float64),
        (lambda x, weight: F.conv2d(x, weight * x.mean()), torch.float64),
        (lambda x, weight: F.conv2d(x.abs().log(), weight), torch.float64),
        (F.conv2d, torch.bfloat16),
    ],
)
def test_what_is_left_alone(sketch, function, kind):
    x, weight = torch.randn(2, 16, 9, 9).to(kind), torch.randn(16, 16, 3, 3).to(kind)
    graph = sketch(function, {"weight": weight}, [x])
    assert apply_rules(graph, [Always()], training=False) == []


@pytest.mark.parametrize(
    ("size", "channels", "pays"),
    [
        ((2, 64, 32, 32), 64, True),
        ((1, 256, 14, 14), 256, True),
        ((2, 64, 8, 16, 16), 64, True),
        ((4, 16, 32, 32), 16, False),
        ((4, 3, 64, 64), 64, False),
        ((1, 512, 7, 7), 512, False),
        ((8, 512, 7, 7), 512, True),
    ],
)
def test_where_it_pays(sketch, size, channels, pays):
    function = PLAIN[len(size) - 2]
    weight = torch.randn(channels, size[1], *[3] * (len(size) - 2))
    graph = sketch(lambda x, weight: function(x, weight, padding=1), {"weight": weight}, [torch.randn(size)])
    assert bool(apply_rules(graph, [Winograd()], training=False)) is pays


def test_one_after_the_other(check):
    x = torch.randn(2, 16, 9, 8).double()
    first, second = torch.randn(16, 16, 3, 3).double(), torch.randn(16, 16, 2, 3).double()

    def function(x, first, second):
        return F.conv_transpose2d(F.max_pool2d(F.conv2d(x, first, padding=1), 3, 1).sigmoid(), second)

    check(Always(), function, [x], times=2, finite=True, first=first, second=second)
