"""Multi-head attention in one module: its projections are its own products, not calls of children."""

from collections.abc import Iterator

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

CACHED, ENCODER = Polynomial.variable("C"), Polynomial.variable("E")


class MultiheadAnalyzer(Analyzer):
    """`torch.nn.MultiheadAttention`, and modules that call `torch.nn.functional.multi_head_attention_forward`.

    Queries and outputs meet matrices of embed_dim² numbers, keys and values such of their own widths times embed_dim;
    then attention as anywhere (Vaswani et al., arXiv:1706.03762, section 3.2). Sequences may come first, or batches.
    Where children project, `has_projections` is 0.
    """

    def get_required_parameters(self) -> dict[str, str]:
        sizes = ("batch", "queries", "keys", "embed_dim", "key_width", "value_width", "has_projections")
        return dict.fromkeys((*sizes, "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        query = next((dims for dims in site.flow.dims.values() if len(dims) == 3), None)
        if query is None:
            return
        key, value = (site.flow.dims.get(name, query) for name in ("key", "value"))
        widths = {"embed_dim": query[2], "key_width": key[2], "value_width": value[2]}
        for projections in (1, 0):
            for batch, length in ((0, 1), (1, 0)):
                for keys in (key[length], key[length] + CACHED, ENCODER):
                    yield {
                        "batch": query[batch],
                        "queries": query[length],
                        "keys": keys,
                        "has_projections": Polynomial.constant(projections),
                        **widths,
                    }

    def compute_flops(self, **parameters: int) -> int:
        """2 * batch * (queries * 2 * d² + keys * d * (key_width + value_width) + 2 * queries * keys * d)."""
        projected = parameters["has_projections"] * self._projected(**parameters)
        pairs = 2 * parameters["queries"] * parameters["keys"]
        return 2 * parameters["batch"] * parameters["embed_dim"] * (projected + pairs)

    def compute_memory_reads(self, **parameters: int) -> int:
        widths = parameters["key_width"] + parameters["value_width"]
        inputs = parameters["queries"] * parameters["embed_dim"] + parameters["keys"] * widths
        weights = parameters["embed_dim"] * (2 * parameters["embed_dim"] + widths)
        numbers = parameters["batch"] * inputs + parameters["has_projections"] * weights
        return numbers * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["batch"] * parameters["queries"] * parameters["embed_dim"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Queries, keys, values and the attended as they are multiplied, and what was projected."""
        made = 2 * parameters["embed_dim"] * (parameters["queries"] + parameters["keys"])
        given = parameters["has_projections"] * self._projected(**parameters)
        return parameters["batch"] * (given + made) * parameters["dtype_bytes"]

    def _projected(self, **parameters: int) -> int:
        """Numbers that meet the embed_dim columns of a projection, per sequence."""
        widths = parameters["key_width"] + parameters["value_width"]
        return 2 * parameters["queries"] * parameters["embed_dim"] + parameters["keys"] * widths
