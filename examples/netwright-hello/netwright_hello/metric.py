"""A metric of a model."""

from torch import nn

from netwright.cases import Inputs


def weight_megabytes(module: nn.Module, inputs: Inputs) -> float:  # noqa: ARG001 - the signature of model metrics
    """Size of all parameters, each counted once, in MB (10^6 bytes)."""
    return sum(weight.nbytes for weight in module.parameters()) / 1e6
