"""Traffic: the bytes that a phase moves to and from memory."""

from collections.abc import Mapping
from dataclasses import dataclass

from netwright_predictor.analysis import ModuleCost


@dataclass(frozen=True)
class Traffic:
    """Bytes of one module itself, without its children.

    Attributes:
        reads: Inputs and weights, each once per call.
        writes: Outputs.
        unknown: Whether some of its calls have no formula for them.
    """

    reads: int = 0
    writes: int = 0
    unknown: bool = False


def module_traffic(cost: ModuleCost, sizes: Mapping[str, int]) -> Traffic:
    """What a module itself reads and writes in a forward, each of its operators by itself."""
    reads = writes = 0
    unknown = False
    for call in cost.calls:
        parameters = call.at(sizes)
        try:
            reads += call.analyzer.compute_memory_reads(**parameters)
            writes += call.analyzer.compute_memory_writes(**parameters)
        except NotImplementedError:
            unknown = unknown or call.known == "derived"
    return Traffic(reads, writes, unknown)


def least_traffic(*, weights: int, cache_read: int, cache_written: int) -> int:
    """Bytes that a forward must move even if everything else stays on the chip: the weights, and the cache."""
    return weights + cache_read + cache_written
