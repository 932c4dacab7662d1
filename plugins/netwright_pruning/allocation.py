"""Allocations: how the cutting is shared out among the layers of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Allocation:
    """Which layers lose more than others, and which must keep how much.

    Both map layer names to numbers. A part of the name between dots stands for all layers below it ("attn",
    "blocks.0"); shell wildcards may be used ("*.fc?"). Of several that fit a name, the last one counts.

    Attributes:
        shares: How hard a layer is cut. Where layers with share 1 keep a fraction k, those with share s keep k to the
            power of s: 0 leaves them whole, 2 cuts them twice.
        limits: The largest fraction of a layer's channels that may go.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)

    def share(self, name: str) -> float:
        """How hard a layer is cut."""
        return _last(self.shares, name, 1.0)

    def kept(self, name: str, units: int) -> int:
        """How many of a layer's units have to stay."""
        limit = _last(self.limits, name, 1.0)
        return units if self.share(name) == 0 else max(0, units - int(limit * units + 1e-9))


def _last(numbers: Mapping[str, float], name: str, default: float) -> float:
    found = default
    for pattern, number in numbers.items():
        if _fits(pattern, name.partition("[")[0]):
            found = number
    return found


def _fits(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern) if set(pattern) & set("*?[") else f".{pattern}." in f".{name}."
