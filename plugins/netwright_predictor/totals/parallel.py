"""Parallelism: over how many devices a model is spread, and along what."""

from typing import Literal

from pydantic import Field

from netwright.config import Config
from netwright.errors import UserError


class Parallel(Config):
    """Degrees of parallelism; their product is the number of devices.

    Devices along `expert` hold different experts of the same layer and, like those along `data`, see different
    sequences; all other weights are the same on them.
    """

    tensor: int = Field(default=1, ge=1)
    """Devices that share every matrix and every attention's heads (Megatron-LM, arXiv:1909.08053, section 3)."""
    pipeline: int = Field(default=1, ge=1)
    """Devices that share the layers, as many on each."""
    data: int = Field(default=1, ge=1)
    """Devices that share the batch."""
    expert: int = Field(default=1, ge=1)
    """Devices that share the experts of each layer (GShard, arXiv:2006.16668, section 3)."""
    zero: Literal[0, 1, 2, 3] = 0
    """What devices that share the batch share besides: the optimizer's state (1), gradients (2), weights (3)
    (ZeRO, arXiv:1910.02054, section 5)."""

    @property
    def devices(self) -> int:
        """How many there are."""
        return self.tensor * self.pipeline * self.data * self.expert

    @property
    def replicas(self) -> int:
        """Devices that see different sequences."""
        return self.data * self.expert


def check_degrees(
    parallel: Parallel, *, heads: int | None, kv_heads: int | None, layers: int, experts: int | None, batch: int
) -> None:
    """Refuse degrees that do not divide what they share.

    Args:
        heads: Attention heads; None where there are none.
        kv_heads: Heads of keys and values; several devices may hold the same one.
        layers: Layers in the model's stacks.
        experts: Routed experts of a layer; None where there are none.
        batch: Sequences of all devices together.

    Raises:
        UserError: A degree does not divide.
    """
    _divide("tensor", parallel.tensor, heads, "attention heads")
    if kv_heads is not None and parallel.tensor > kv_heads and parallel.tensor % kv_heads:
        _divide("tensor", parallel.tensor, kv_heads, "heads of keys and values")
    if kv_heads is not None and parallel.tensor < kv_heads:
        _divide("tensor", parallel.tensor, kv_heads, "heads of keys and values")
    _divide("pipeline", parallel.pipeline, layers, "layers")
    if parallel.expert > 1 and experts is None:
        raise UserError("parallel.expert needs a mixture of experts", why="the model has none")
    _divide("expert", parallel.expert, experts, "experts")
    if batch % parallel.replicas:
        name = "data" if parallel.expert == 1 else "data times expert"
        _divide(name, parallel.replicas, batch, "sequences of the batch")


def _divide(name: str, degree: int, whole: int | None, what: str) -> None:
    if whole is not None and whole % degree:
        divisors = [each for each in range(1, min(whole, 64) + 1) if whole % each == 0]
        raise UserError(
            f"parallel.{name}={degree} does not divide the {whole} {what}",
            remedy=f"choose one of {', '.join(map(str, divisors))}",
        )
