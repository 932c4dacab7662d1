"""BatchNorm in eval mode folded into the layer before it."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from netwright_fusion.rules.batch_norm_into_weights import BatchNormIntoWeights


def statistics():
    return {
        "running_mean": torch.randn(4).double(),
        "running_var": torch.rand(4).double() + 0.1,
        "scale": torch.randn(4).double(),
        "shift": torch.randn(4).double(),
    }


@settings(max_examples=8, deadline=None)
@given(layer=st.sampled_from(["linear", "conv", "transposed"]), bias=st.booleans(), affine=st.booleans())
def test_folds(check, layer, bias, affine):
    x = torch.randn(2, 3, *([] if layer == "linear" else [5, 5])).double()
    weight = torch.randn(*{"linear": (4, 3), "conv": (4, 3, 3, 3), "transposed": (3, 4, 3, 3)}[layer]).double()
    parameters = {"weight": weight, **({"bias": torch.randn(4).double()} if bias else {}), **statistics()}

    def function(x, weight, running_mean, running_var, scale, shift, bias=None):
        y = {"linear": F.linear, "conv": F.conv2d, "transposed": F.conv_transpose2d}[layer](x, weight, bias)
        return F.batch_norm(y, running_mean, running_var, *((scale, shift) if affine else (None, None)), eps=1e-3)

    check(BatchNormIntoWeights(), function, [x], times=1, **parameters)


def test_leaves_batch_statistics_and_train_mode_alone(check):
    x, weight = torch.randn(2, 3, 5, 5).double(), torch.randn(4, 3, 3, 3).double()

    def batch(x, weight):
        return F.batch_norm(F.conv2d(x, weight), None, None, training=True)

    def fixed(x, weight, running_mean, running_var, scale, shift):
        return F.batch_norm(F.conv2d(x, weight), running_mean, running_var, scale, shift)

    check(BatchNormIntoWeights(), batch, [x], times=0, weight=weight)
    check(BatchNormIntoWeights(), fixed, [x], training=True, times=0, weight=weight, **statistics())
