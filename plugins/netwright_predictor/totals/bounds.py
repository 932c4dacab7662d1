"""Bounds: the roofline of each phase, by the bytes that it must at least move."""

from netwright_predictor.prediction import Bound, Device
from netwright_predictor.totals.hardware import Hardware
from netwright_predictor.totals.memory import Resident
from netwright_predictor.totals.roofline import bound
from netwright_predictor.tracing.sizes import Phase


def bound_phase(
    hardware: Hardware,
    phase: Phase,
    number_format: str,
    device: Device,
    *,
    resident: Resident,
    unread: int,
    kept: int,
    cache_read: int,
    cache_written: int,
    tokens: int,
) -> Bound:
    """The least time of a phase on one device.

    Args:
        number_format: What matrix products are computed in.
        device: What it computes and sends.
        resident: What lies on it.
        unread: Bytes of the weights of experts that no token needs.
        kept: Bytes kept from the forward pass for the backward pass.
        cache_read: Bytes of the cache that the phase is given.
        cache_written: Bytes that it adds to the cache.
        tokens: Tokens that all devices together process.
    """
    if phase == "train":
        traffic = training_traffic(resident, kept)
    else:
        traffic = resident.weights - unread + cache_read + cache_written
    return bound(
        hardware,
        number_format,
        flops=device.flops,
        traffic_bytes=traffic,
        sent_bytes=sum(device.sent_bytes.values()),
        tokens=tokens,
    )


def training_traffic(resident: Resident, kept: int) -> int:
    """Bytes that a training step must move.

    Weights are read in the forward and in the backward pass; what is kept is written in one and read in the other;
    gradients are written, and read by the optimizer, which reads and writes its state and the weights.
    """
    return 4 * resident.weights + 2 * kept + 2 * resident.gradients + 2 * resident.optimizer
