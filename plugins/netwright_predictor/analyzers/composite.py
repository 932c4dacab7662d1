"""Composite modules: what happens between children that do the work."""

from collections.abc import Iterator
from math import prod

from torch import nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

ONE = Polynomial.constant(1)


class CompositeAnalyzer(Analyzer):
    """A module whose children multiply; it adds `additions` times what it was given, as layers with residuals do.

    Adding keeps nothing for the backward pass, and its operands are not read from weights.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("elements", "additions", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        hidden = next((dims for dims in site.flow.dims.values() if len(dims) == 3), None)
        yield {
            "elements": prod(hidden, start=ONE) if hidden is not None else Polynomial(),
            "additions": Polynomial.constant(_residuals(site.module)),
        }

    def compute_other_operations(self, **parameters: int) -> int:
        return parameters["elements"] * parameters["additions"]

    def compute_memory_reads(self, **parameters: int) -> int:
        """Both operands of each addition."""
        return 2 * self.compute_memory_writes(**parameters)

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["elements"] * parameters["additions"] * parameters["dtype_bytes"]


def _residuals(module: nn.Module) -> int:
    """How many residual additions a layer makes: one per attention, mixer or feed-forward network in it."""
    if not any(word in type(module).__name__ for word in ("Layer", "Block")):
        return 0
    return sum(1 for child in module.children() if any(True for _ in child.children()))
