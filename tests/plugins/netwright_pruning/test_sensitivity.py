"""Sensitivity: a layer that matters shows, and what cutting it saves is counted."""

import torch
from torch import nn

from netwright.cases import Inputs
from netwright_pruning.baselines import MagnitudeL2
from netwright_pruning.proxy import make_proxy
from netwright_pruning.sensitivity import measure_sensitivity
from netwright_pruning.survey import Survey


def test_a_layer_whose_channels_do_nothing_costs_nothing(residual: nn.Module, images: Inputs) -> None:
    with torch.no_grad():
        residual.get_parameter("inner1.weight")[24:].zero_()  # half of its channels bring only their bias
        residual.get_parameter("inner1.bias")[24:].zero_()
        residual.get_parameter("outer1.weight")[:, 24:].zero_()
    survey = Survey(residual, images, round_to=8)
    proxy = make_proxy(residual, images, None)
    before = {name: tensor.clone() for name, tensor in residual.state_dict().items()}
    found = measure_sensitivity(
        residual, images, survey, MagnitudeL2(), proxy, metric="macs", batches=None, probe=0.5, seed=0
    )
    assert set(found) == {"stem", "inner1", "inner2"}
    assert found["inner1"].damage < 1e-9
    assert found["inner2"].damage > 1e-6
    assert found["stem"].gain > found["inner1"].gain > 0.1
    assert all(torch.equal(tensor, before[name]) for name, tensor in residual.state_dict().items())
