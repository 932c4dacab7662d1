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


def _part(width: Polynomial, heads: int) -> Polynomial:
    return Polynomial.constant((width.as_constant() or 0) // heads)
