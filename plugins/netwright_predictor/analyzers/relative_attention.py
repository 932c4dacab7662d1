"""Relative attention: scores have a part that comes from distances, as products of their own."""

from collections.abc import Iterator

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.analyzers.instance import integer
from netwright_predictor.polynomial import Polynomial

HEADS = ("num_attention_heads", "num_heads", "n_head", "n_heads", "encoder_attention_heads")


class RelativeAttentionAnalyzer(Analyzer):
    """Attention whose queries, or keys, also meet vectors of `positions` distances, `terms` times.

    Transformer-XL and conformers (arXiv:1901.02860, section 3.3): 2 * length - 1 distances, one term, queries with
    positions. DeBERTa (arXiv:2006.03654, section 3.1): twice the span, a term for queries with positions and one for
    keys. Shaw's relative keys, as in Wav2Vec2-BERT (arXiv:1803.02155, section 3.2): one vector per pair, so that
    positions are as many as keys. Biases that are looked up, as T5's and Swin's, take no product: those are plain
    attention.
    """

    def get_required_parameters(self) -> dict[str, str]:
        sizes = ("batch", "queries", "keys", "positions", "terms", "num_attention_heads", "head_dim")
        return dict.fromkeys((*sizes, "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        hidden = next((dims for dims in site.flow.dims.values() if len(dims) == 3), None)
        heads = integer(site.module, *HEADS, config=site.config)
        if hidden is None or heads is None:
            return
        batch, length, width = hidden
        own = integer(site.module, "head_dim", "head_size", "attention_head_size", "d_head")
        head = Polynomial.constant(own) if own else _part(width, heads)
        known = {"batch": batch, "queries": length, "num_attention_heads": Polynomial.constant(heads), "head_dim": head}
        tables = [dims[-2] for dims in site.flow.dims.values() if len(dims) in (2, 3) and dims is not hidden]
        for positions in (length * 2 - 1, length, *tables):
            for terms in (1, 2):
                yield {**known, "keys": length, "positions": positions, "terms": Polynomial.constant(terms)}

    def compute_flops(self, **parameters: int) -> int:
        """2 * batch * heads * queries * head_dim * (2 * keys + terms * positions)."""
        met = 2 * parameters["keys"] + parameters["terms"] * parameters["positions"]
        return 2 * self._rows(**parameters) * parameters["head_dim"] * met

    def compute_other_operations(self, **parameters: int) -> int:
        """Per pair: scale, mask, an addition per term, and softmax as five operations."""
        return self._rows(**parameters) * parameters["keys"] * (7 + parameters["terms"])

    def compute_memory_reads(self, **parameters: int) -> int:
        """Queries, keys and values, and the vectors of distances, once for all sequences."""
        tokens = parameters["batch"] * (parameters["queries"] + 2 * parameters["keys"])
        rows = tokens + parameters["terms"] * parameters["positions"]
        return rows * parameters["num_attention_heads"] * parameters["head_dim"] * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return self._rows(**parameters) * parameters["head_dim"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """What it reads, and the softmax."""
        softmax = self._rows(**parameters) * parameters["keys"] * parameters["dtype_bytes"]
        return self.compute_memory_reads(**parameters) + softmax

    def _rows(self, **parameters: int) -> int:
        return parameters["batch"] * parameters["num_attention_heads"] * parameters["queries"]


class ProjectingRelativeAttentionAnalyzer(Analyzer):
    """Relative attention that holds its own projections as parameters of (width, heads, numbers per head), as XLNet.

    Transformer-XL (arXiv:1901.02860, section 3.3) with the vectors of distances projected anew for each sequence.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("batch", "length", "positions", "d_model", "n_head", "d_head", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        hidden, distances = site.flow.dims.get("h"), site.flow.dims.get("r")
        if hidden is not None and distances is not None and len(hidden) == len(distances) == 3:
            yield {"length": hidden[0], "batch": hidden[1], "positions": distances[0]}

    def compute_flops(self, **parameters: int) -> int:
        """2 * batch * n_head * d_head * (d_model * (4 * length + positions) + length * (2 * length + positions))."""
        length, positions = parameters["length"], parameters["positions"]
        projected = parameters["d_model"] * (4 * length + positions)
        return 2 * self._rows(**parameters) * parameters["d_head"] * (projected + length * (2 * length + positions))

    def compute_other_operations(self, **parameters: int) -> int:
        """Per pair: scale, mask, the sum of both terms, and softmax as five operations."""
        return 8 * self._rows(**parameters) * parameters["length"] ** 2

    def compute_memory_reads(self, **parameters: int) -> int:
        """Hidden states, distances and five projections."""
        hidden = parameters["batch"] * (parameters["length"] + parameters["positions"]) * parameters["d_model"]
        weights = 5 * parameters["d_model"] * parameters["n_head"] * parameters["d_head"]
        return (hidden + weights) * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["batch"] * parameters["length"] * parameters["d_model"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Queries, keys, values, projected distances, and the softmax."""
        length, positions = parameters["length"], parameters["positions"]
        per_head = (3 * length + positions) * parameters["d_head"] + length**2
        return self._rows(**parameters) * per_head * parameters["dtype_bytes"]

    def _rows(self, **parameters: int) -> int:
        return parameters["batch"] * parameters["n_head"]


class FunnelAttentionAnalyzer(Analyzer):
    """Relative attention over pooled positions (Funnel-Transformer, arXiv:2006.03236, appendix A.2.1).

    Distances are keys + queries, or keys + 2 * queries where queries are pooled and keys are not. Vectors of distances
    are projected once for all sequences; each query also meets 2 vectors that say whether a key is of its segment.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("batch", "queries", "keys", "d_model", "n_head", "d_head", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        query, key = site.flow.dims.get("query"), site.flow.dims.get("key")
        if query is not None and key is not None:
            yield {"batch": query[0], "queries": query[1], "keys": key[1]}

    def compute_flops(self, **parameters: int) -> int:
        """2 * n_head * d_head * (distances * d_model + batch * queries * (2 * keys + distances + 2))."""
        distances = self._distances(**parameters)
        met = 2 * parameters["keys"] + distances + 2
        projected = distances * parameters["d_model"]
        return 2 * self._width(**parameters) * (projected + parameters["batch"] * parameters["queries"] * met)

    def compute_other_operations(self, **parameters: int) -> int:
        """Per pair: mask, the sum of three terms, and softmax as five operations."""
        return 8 * self._pairs(**parameters)

    def compute_memory_reads(self, **parameters: int) -> int:
        """Queries, keys and values, vectors of distances, and their projection."""
        tokens = parameters["batch"] * (parameters["queries"] + 2 * parameters["keys"])
        projection = parameters["d_model"] * self._width(**parameters)
        distances = self._distances(**parameters) * parameters["d_model"]
        return (tokens * self._width(**parameters) + distances + projection) * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        rows = parameters["batch"] * parameters["queries"]
        return rows * self._width(**parameters) * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Queries, keys, values, projected distances, and the softmax."""
        tokens = parameters["batch"] * (parameters["queries"] + 2 * parameters["keys"]) + self._distances(**parameters)
        return (tokens * self._width(**parameters) + self._pairs(**parameters)) * parameters["dtype_bytes"]

    def _distances(self, **parameters: int) -> int:
        pooled = parameters["queries"] != parameters["keys"]
        return parameters["keys"] + parameters["queries"] * (2 if pooled else 1)

    def _pairs(self, **parameters: int) -> int:
        return parameters["batch"] * parameters["n_head"] * parameters["queries"] * parameters["keys"]

    def _width(self, **parameters: int) -> int:
        return parameters["n_head"] * parameters["d_head"]


def _part(width: Polynomial, heads: int) -> Polynomial:
    return Polynomial.constant((width.as_constant() or 0) // heads)
