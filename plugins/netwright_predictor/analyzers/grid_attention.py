"""Attention over grids: images keep their rows and columns, in windows or whole, as SAM, ViTDet and Hiera have them."""

from collections.abc import Iterator

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.analyzers.instance import integer
from netwright_predictor.polynomial import Polynomial

HEADS = ("num_attention_heads", "num_heads")
WIDTH = ("dim_out", "hidden_size", "dim")


class GridAttentionAnalyzer(Analyzer):
    """Every position of a grid attends to all of it, and perhaps to distances by row and by column.

    Decomposed relative positions (Li et al., MViTv2, arXiv:2112.01526, section 4.1): each query meets a vector per row
    and per column. Pooled queries (Hiera, arXiv:2306.00989): one for `query_stride` by `query_stride` positions.
    """

    def get_required_parameters(self) -> dict[str, str]:
        sizes = ("batch", "rows", "columns", "query_stride", "distances", "leftover", "num_attention_heads", "head_dim")
        return dict.fromkeys((*sizes, "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        grid = next((dims for dims in site.flow.dims.values() if len(dims) == 4), None)
        heads = integer(site.module, *HEADS, config=site.config)
        if grid is None or heads is None:
            return
        batch, rows, columns, channels = grid
        width = integer(site.module, *WIDTH) or channels.as_constant() or 0
        head = integer(site.module, "head_dim") or width // heads
        strides = getattr(site.module, "query_stride", None)
        stride = strides[0] if isinstance(strides, tuple | list) else strides or 1
        known = {"num_attention_heads": heads, "head_dim": head, "query_stride": stride}
        for distances, leftover in ((0, 0), (1, 0), (0, 1)):
            constants = {**known, "distances": distances, "leftover": leftover}
            sizes = {name: Polynomial.constant(value) for name, value in constants.items()}
            yield {"batch": batch, "rows": rows, "columns": columns, **sizes}

    def compute_flops(self, **parameters: int) -> int:
        """2 * batch * heads * queries * head_dim * (2 * rows * columns + distances * (rows + columns)).

        With `leftover`, the heads of each position also meet each other, as SAM 2's code computes and forgets.
        """
        rows, columns = parameters["rows"], parameters["columns"]
        met = 2 * rows * columns + parameters["distances"] * (rows + columns)
        pairs = self._queries(**parameters) * met
        pairs += parameters["leftover"] * parameters["batch"] * rows * columns * parameters["num_attention_heads"] ** 2
        return 2 * pairs * parameters["head_dim"]

    def compute_other_operations(self, **parameters: int) -> int:
        """Per pair: scale, two additions where there are distances, and softmax as five operations."""
        pairs = self._queries(**parameters) * parameters["rows"] * parameters["columns"]
        return pairs * (6 + 2 * parameters["distances"])

    def compute_memory_reads(self, **parameters: int) -> int:
        """Queries, keys and values."""
        keys = parameters["batch"] * parameters["num_attention_heads"] * parameters["rows"] * parameters["columns"]
        return (self._queries(**parameters) + 2 * keys) * parameters["head_dim"] * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return self._queries(**parameters) * parameters["head_dim"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """What it reads, and the softmax."""
        softmax = self._queries(**parameters) * parameters["rows"] * parameters["columns"] * parameters["dtype_bytes"]
        return self.compute_memory_reads(**parameters) + softmax

    def _queries(self, **parameters: int) -> int:
        """Queries of all heads; a grid that the stride does not divide leaves the rest out."""
        stride = parameters["query_stride"]
        queries = (parameters["rows"] // stride) * (parameters["columns"] // stride)
        return parameters["batch"] * parameters["num_attention_heads"] * queries
