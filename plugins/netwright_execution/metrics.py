"""The metrics of speed and size."""

from typing import TYPE_CHECKING

from netwright.harness.timing import Timing

if TYPE_CHECKING:
    from torch import nn

    from netwright.cases import Inputs


def latency_ms(timing: Timing) -> float | None:
    """Median latency of a call, in ms."""
    return timing.median_ms


def throughput(timing: Timing) -> float | None:
    """Samples per second at the timing's batch size."""
    return timing.throughput


def peak_memory_bytes(timing: Timing) -> float | None:
    """Weights, inputs and the most that one call allocates on top of them, in bytes."""
    return timing.peak_memory_bytes


def parameters(module: "nn.Module", inputs: "Inputs") -> float:  # noqa: ARG001 - all model metrics are called alike
    """Elements of all parameters, tied ones counted once."""
    from netwright.cost import count_parameters

    return count_parameters(module)


def macs(module: "nn.Module", inputs: "Inputs") -> float:
    """Multiply-accumulate operations of one call (`netwright.cost` says of what).

    Raises:
        NetwrightError: The module's forward raises.
    """
    from netwright.cost import count_cost

    return count_cost(module, inputs).macs


def flops(module: "nn.Module", inputs: "Inputs") -> float:
    """Floating-point operations of one call, two per MAC.

    Raises:
        NetwrightError: The module's forward raises.
    """
    return 2 * macs(module, inputs)
