"""Transposed convolutions that are averaged in windows."""

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.transposed_average_pool import TransposedAveragePool

CONVOLUTIONS = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
POOLS = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)


@settings(max_examples=15, deadline=None)
@given(
    spatial=st.integers(1, 3),
    kernel=st.integers(2, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    multiple=st.integers(1, 2),
    wider=st.integers(0, 1),
    groups=st.sampled_from([1, 2]),
    extra=st.integers(0, 1),
)
def test_averaged_transposed_convolutions(check, spatial, kernel, stride, padding, multiple, wider, groups, extra):
    step, size = stride * multiple, 4
    window = step + wider
    out = (size - 1) * stride - 2 * padding + kernel + (extra if stride > 1 else 0)
    taps = (padding + window - 1) // stride + (kernel - 1 - padding) // stride + 1
    assume(padding < kernel and out >= window)
    assume(taps * ((out - window) // step + 1) < kernel * size)
    weight, bias = torch.randn(2 * groups, 3, *[kernel] * spatial).double(), torch.randn(3 * groups).double()
    x = torch.randn(2, 2 * groups, *[size] * spatial).double()

    def function(x, weight, bias):
        options = {"stride": stride, "padding": padding, "groups": groups, "output_padding": extra if stride > 1 else 0}
        return POOLS[spatial - 1](CONVOLUTIONS[spatial - 1](x, weight, bias, **options), window, stride=step)

    _, applied = check(TransposedAveragePool(), function, [x], weight=weight, bias=bias)
    assert applied[0].flops_removed > 0


def test_leaves_other_windows_alone(check):
    weight, x = torch.randn(3, 4, 3, 3).double(), torch.randn(2, 3, 5, 5).double()
    for function in (
        lambda x, weight: F.avg_pool2d(F.conv_transpose2d(x, weight, stride=2), 3),
        lambda x, weight: F.avg_pool2d(F.conv_transpose2d(x, weight, stride=2), 2, padding=1),
        lambda x, weight: F.avg_pool2d(F.conv_transpose2d(x, weight, stride=2, dilation=2), 2),
        lambda x, weight: F.max_pool2d(F.conv_transpose2d(x, weight, stride=2), 2),
    ):
        check(TransposedAveragePool(), function, [x], times=0, weight=weight)
