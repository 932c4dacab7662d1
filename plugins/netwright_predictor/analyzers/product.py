"""Products as modules: a matrix product that a model has wrapped in a class of its own, as SqueezeBERT does."""

from collections.abc import Iterator

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial


class ProductAnalyzer(Analyzer):
    """The product of (batch, groups, rows, inner) and (batch, groups, inner, columns), both given with the call."""

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("batch", "groups", "rows", "inner", "columns", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        factors = [dims for dims in site.flow.dims.values() if len(dims) in (3, 4)]
        if len(factors) == 2 and len(factors[0]) == len(factors[1]) and factors[0][-1] == factors[1][-2]:
            left, right = factors
            groups = left[1] if len(left) == 4 else Polynomial.constant(1)
            yield {"batch": left[0], "groups": groups, "rows": left[-2], "inner": left[-1], "columns": right[-1]}

    def compute_flops(self, **parameters: int) -> int:
        """2 * batch * groups * rows * inner * columns."""
        return 2 * self._matrices(**parameters) * parameters["rows"] * parameters["inner"] * parameters["columns"]

    def compute_memory_reads(self, **parameters: int) -> int:
        both = (parameters["rows"] + parameters["columns"]) * parameters["inner"]
        return self._matrices(**parameters) * both * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return self._matrices(**parameters) * parameters["rows"] * parameters["columns"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Both factors."""
        return self.compute_memory_reads(**parameters)

    def compute_kept_inputs(self, **parameters: int) -> int:
        return self.compute_memory_reads(**parameters)

    def _matrices(self, **parameters: int) -> int:
        return parameters["batch"] * parameters["groups"]
