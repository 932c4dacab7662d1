"""Memory: what lies on a device in a phase, and the most that does at once."""

from dataclasses import dataclass

from torch import nn

from netwright_predictor.prediction import Memory
from netwright_predictor.tracing.timeline import Peak


@dataclass(frozen=True)
class Resident:
    """What lies in memory throughout, in bytes.

    Attributes:
        weights: Parameters as they are stored.
        buffers: Tensors of the model that are not learned.
        gradients: Of all trainable parameters, once they are there.
        optimizer: The optimizer's state from the second step on.
        temporary: What an optimizer step holds besides.
    """

    weights: int
    buffers: int = 0
    gradients: int = 0
    optimizer: int = 0
    temporary: int = 0


def buffer_bytes(model: nn.Module) -> int:
    """Bytes of a model's buffers."""
    return sum(each.numel() * each.element_size() for each in model.buffers())


def training_memory(resident: Resident, peak: Peak) -> Memory:
    """Memory of a training step once the optimizer has its state.

    The peak is the greatest of the forward, the loss, the backward pass, in which gradients come as activations go, and
    the optimizer's step. So it may be less than the sum of the parts.

    Args:
        peak: Of what the step makes.
    """
    lasting = resident.weights + resident.buffers + resident.optimizer
    step = resident.gradients + resident.temporary
    return Memory(
        weights_bytes=resident.weights,
        gradients_bytes=resident.gradients,
        optimizer_bytes=resident.optimizer,
        activations_bytes=peak.kept,
        total_bytes=lasting + max(peak.bytes, step),
        peak="optimizer step" if step >= peak.bytes and peak.moment != "unknown" else peak.moment,
    )


def inference_memory(resident: Resident, peak: Peak, *, cache_before: int, cache_after: int) -> Memory:
    """Memory of a forward without gradients.

    Args:
        peak: Of what the forward makes, its part of the cache included.
        cache_before: Bytes of the cache that the forward is given.
        cache_after: Bytes of the cache that it leaves.
    """
    return Memory(
        weights_bytes=resident.weights,
        gradients_bytes=0,
        optimizer_bytes=0,
        activations_bytes=max(0, peak.bytes + cache_before - cache_after),
        kv_cache_bytes=cache_after,
        total_bytes=resident.weights + resident.buffers + cache_before + peak.bytes,
        peak=peak.moment,
    )
