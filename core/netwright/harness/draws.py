"""Weights and inputs by their numbers: every process makes the same from the same `Draw`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor, nn

from netwright.cases import Case, Inputs, map_tensors
from netwright.cases.module import draw_inputs, prepare_module
from netwright.files import content_key
from netwright.harness.data import agent_provide_inputs, agent_provide_weights
from netwright.harness.protocol import Draw

NOISE = 0.1
"""Standard deviation of the noise of perturbed weights, relative to a tensor's own rms."""
VARIED_ELEMENTS = 4096


def draw_module(case: Case, draw: Draw) -> nn.Module:
    """The case's module with the drawn weights, on its device, in its dtype and mode.

    Raises:
        UserError: The module's code raises.
    """
    weights = agent_provide_weights(case, seed=draw.weight_seed)
    module = prepare_module(case, seed=draw.weight_seed, weights=weights)
    if draw.perturbed:
        _perturb(module, draw.weight_seed)
    return module


def draw_call(case: Case, draw: Draw) -> Inputs:
    """The drawn arguments of one call, on the case's device.

    Raises:
        UserError: The case's own code that draws them raises.
    """
    if draw.nonce == 0 and draw.distribution == "normal":
        inputs = agent_provide_inputs(case, seed=draw.seed)
    else:
        seed = draw.seed if has_floating(draw, case) else _mixed(draw.seed, draw.nonce)
        inputs = draw_inputs(case, seed=draw.seed, distribution=draw.distribution)
    return inputs


def _perturb(module: nn.Module, seed: int) -> None:
    """Add noise to every floating-point parameter and to the running statistics of batch normalisation."""
    generator = Generator().manual_seed(seed)

    def noise(tensor: Tensor, scale: float) -> Tensor:
        return (torch.randn(tensor.shape, generator=generator) * scale).to(tensor)

    with torch.no_grad():
        for value in module.parameters():
            if value.is_floating_point() and value.numel():
                rms = float(value.float().square().mean().sqrt())
                value.add_(noise(value, NOISE * (rms or 1.0)))
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._NormBase) and part.running_mean is not None:
                part.running_mean.add_(noise(part.running_mean, NOISE))
                part.running_var.mul_(noise(part.running_var, NOISE).exp())
