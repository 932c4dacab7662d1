"""Embeddings: rows of a table, looked up by number."""

from collections.abc import Iterator
from math import prod

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

INDEX_BYTES = 8


class EmbeddingAnalyzer(Analyzer):
    """A table of `num_embeddings` rows of `embedding_dim`, of which `rows` are read; nothing is multiplied."""

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("rows", "embedding_dim", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        weight = next((each for each in site.module._parameters.values() if each is not None), None)
        if weight is None:
            return
        width = Polynomial.constant(weight.shape[-1])
        for dims in site.flow.outputs:
            yield {"rows": prod(dims[:-1], start=Polynomial.constant(1)), "embedding_dim": width}

    def compute_memory_reads(self, **parameters: int) -> int:
        return parameters["rows"] * (parameters["embedding_dim"] * parameters["dtype_bytes"] + INDEX_BYTES)

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["rows"] * parameters["embedding_dim"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """The numbers of the rows."""
        return parameters["rows"] * INDEX_BYTES

    def compute_kept_inputs(self, **parameters: int) -> int:
        return self.compute_intermediates(**parameters)
