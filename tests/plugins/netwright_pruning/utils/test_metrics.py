"""Costs of a model, and metrics of one's own."""

from collections.abc import Mapping
from typing import Any

import pytest
from torch import nn

from netwright.errors import UserError
from netwright_pruning.utils.metrics import compute_macs, compute_metric, compute_params, register_metric


def convolution() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 16 * 16, 10))


def test_costs_are_those_of_the_formulas() -> None:
    model = convolution()
    macs = compute_macs(model, (1, 3, 16, 16))
    assert isinstance(macs, float)
    assert macs == 16 * 16 * 8 * 3 * 9 + 8 * 16 * 16 * 10
    parameters = compute_params(model)
    assert isinstance(parameters, int)
    assert parameters == (3 * 9 * 8 + 8) + 16 + (8 * 256 * 10 + 10)
    assert model.training


def test_a_metric_of_ones_own() -> None:
    @register_metric("efficiency_of_test")
    def efficiency(model: nn.Module, dataset_info: Mapping[str, Any]) -> float:
        macs = compute_macs(model, (1, *dataset_info["input_shape"]))
        return (compute_params(model) / 1e6) / (macs / 1e9)

    model = convolution()
    value = compute_metric("efficiency_of_test", model, {"input_shape": (3, 16, 16)})
    assert value == pytest.approx((compute_params(model) / 1e6) / (compute_macs(model, (1, 3, 16, 16)) / 1e9))
    with pytest.raises(UserError, match="did you mean 'efficiency_of_test'"):
        compute_metric("eficiency_of_test", model, {})
    with pytest.raises(UserError, match="there is a metric 'efficiency_of_test' already"):
        register_metric("efficiency_of_test")(len)


def test_a_metric_that_returns_no_number_is_refused() -> None:
    register_metric("text_of_test")(lambda *_: "much")
    with pytest.raises(UserError, match="returned 'much'"):
        compute_metric("text_of_test", convolution(), {})
