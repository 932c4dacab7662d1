"""Pooling: windows of which one number is left, by maximum or average, and interpolation."""

from collections.abc import Iterator
from math import prod

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

ONE = Polynomial.constant(1)


class PoolingAnalyzer(Analyzer):
    """`torch.nn.MaxPool*d`, `AvgPool*d`, `Adaptive*Pool*d` and modules that only pool.

    No product: each output takes one comparison or addition per position of its window, which are `inputs` in all where
    windows tile the input (counted so for overlapping ones, too, which share what they read).
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("inputs", "outputs", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        for given in site.flow.dims.values():
            for made in site.flow.outputs:
                yield {"inputs": prod(given, start=ONE), "outputs": prod(made, start=ONE)}

    def compute_other_operations(self, **parameters: int) -> int:
        return parameters["inputs"]

    def compute_memory_reads(self, **parameters: int) -> int:
        return parameters["inputs"] * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["outputs"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Its input, of which the backward pass of a maximum needs the places; an average needs less."""
        return parameters["inputs"] * parameters["dtype_bytes"]

    def compute_kept_inputs(self, **parameters: int) -> int:
        return self.compute_intermediates(**parameters)
