"""Normalisations: every row is brought to one scale."""

from collections.abc import Iterator
from math import prod

from torch import nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

ONE = Polynomial.constant(1)
FLOAT32_BYTES = 4


class NormalizationAnalyzer(Analyzer):
    """LayerNorm (Ba et al., arXiv:1607.06450) and RMSNorm (Zhang and Sennrich, arXiv:1910.07467), scaled or not.

    `is_centered` tells the first from the second, `is_fused` one operator (`nn.LayerNorm`, `nn.RMSNorm`) from
    arithmetic in float32 that is spelled out, which keeps more.
    """

    def get_required_parameters(self) -> dict[str, str]:
        names = ("rows", "features", "weights", "is_centered", "is_fused", "dtype_bytes")
        return dict.fromkeys(names, "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        own = [each for each in site.module._parameters.values() if each is not None]
        fused = isinstance(site.module, nn.LayerNorm | nn.RMSNorm)
        centered = "RMS" not in type(site.module).__name__ and (fused or len(own) > 1)
        for dims in site.flow.dims.values():
            yield {
                "rows": prod(dims[:-1], start=ONE),
                "features": dims[-1] if dims else ONE,
                "weights": Polynomial.constant(sum(each.numel() for each in own)),
                "is_centered": Polynomial.constant(int(centered)),
                "is_fused": Polynomial.constant(int(fused)),
            }

    def compute_other_operations(self, **parameters: int) -> int:
        """Per element: square, add up, scale, each weight; with a mean: add up, subtract; per row: 2 for the root."""
        per_element = 3 + 2 * parameters["is_centered"]
        weighted = parameters["rows"] * parameters["weights"]
        return parameters["rows"] * (per_element * parameters["features"] + 2) + weighted

    def compute_memory_reads(self, **parameters: int) -> int:
        return (self._elements(**parameters) + parameters["weights"]) * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return self._elements(**parameters) * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Fused: the input, and mean and deviation of each row in float32.

        Spelled out: the input in float32, where that is not its own type a copy; the scaled rows, which the weight
        multiplies; and the deviation of each row in float32.
        """
        statistics = parameters["rows"] * FLOAT32_BYTES
        if parameters["is_fused"]:
            return self._elements(**parameters) * parameters["dtype_bytes"] + statistics * (
                1 + parameters["is_centered"]
            )
        scaled = parameters["dtype_bytes"] if parameters["weights"] else 0
        return self._elements(**parameters) * (FLOAT32_BYTES + scaled) + statistics

    def compute_kept_inputs(self, **parameters: int) -> int:
        if parameters["is_fused"] or parameters["dtype_bytes"] == FLOAT32_BYTES:
            return self._elements(**parameters) * parameters["dtype_bytes"]
        return 0

    def _elements(self, **parameters: int) -> int:
        return parameters["rows"] * parameters["features"]
