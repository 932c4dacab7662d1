"""Indexers: small scores that choose which keys sparse attention looks at."""

from collections.abc import Iterator

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

FLOAT32_BYTES = 4
NEW, CACHED = Polynomial.variable("S"), Polynomial.variable("C")


class IndexerAnalyzer(Analyzer):
    """The lightning indexer of DeepSeek sparse attention (DeepSeek-V3.2-Exp, section 2.1, equation 1).

    Every query of `heads` heads meets every key, which all heads share, and the heads' scores are added up with
    weights, as a matrix product. Both in float32.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("batch", "queries", "keys", "heads", "head_dim", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        hidden = next((dims for dims in site.flow.dims.values() if len(dims) == 3), None)
        if hidden is None:
            return
        own = vars(site.module)
        heads = next((own[name] for name in ("n_heads", "num_heads", "index_n_heads") if name in own), None)
        head_dim = next((own[name] for name in ("head_dim", "index_head_dim") if name in own), None)
        if isinstance(heads, int) and isinstance(head_dim, int):
            yield {
                "batch": hidden[0],
                "queries": hidden[1],
                "keys": hidden[1] + CACHED,
                "heads": Polynomial.constant(heads),
                "head_dim": Polynomial.constant(head_dim),
            }

    def compute_flops(self, **parameters: int) -> int:
        """2 * scores * head_dim, and 2 * scores to add up the heads."""
        return 2 * self._scores(**parameters) * (parameters["head_dim"] + 1)

    def compute_backward_flops(self, **parameters: int) -> int:
        """It chooses, and is not differentiated."""
        del parameters
        return 0

    def compute_other_operations(self, **parameters: int) -> int:
        """Scale and ReLU per score; mask and one comparison per pair of query and key."""
        return 2 * self._scores(**parameters) + 2 * self._scores(**parameters) // parameters["heads"]

    def compute_memory_reads(self, **parameters: int) -> int:
        queries = parameters["queries"] * parameters["heads"]
        return parameters["batch"] * (queries + parameters["keys"]) * parameters["head_dim"] * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        """The scores of every pair of query and key."""
        return FLOAT32_BYTES * parameters["batch"] * parameters["queries"] * parameters["keys"]

    def _scores(self, **parameters: int) -> int:
        return parameters["batch"] * parameters["heads"] * parameters["queries"] * parameters["keys"]
