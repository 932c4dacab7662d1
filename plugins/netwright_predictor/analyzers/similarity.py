"""Similarity: models that compare texts with images multiply each embedding with each other."""

from collections.abc import Iterator

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.analyzers.instance import integer


class SimilarityAnalyzer(Analyzer):
    """CLIP's logits: as many texts as images, all pairs of them (Radford et al., arXiv:2103.00020, figure 3)."""

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("batch", "projection_dim", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        if integer(site.module, "projection_dim", config=site.config) is not None:
            for dims in site.flow.dims.values():
                yield {"batch": dims[0]}

    def compute_flops(self, **parameters: int) -> int:
        """2 * batch² * projection_dim."""
        return 2 * parameters["batch"] ** 2 * parameters["projection_dim"]

    def compute_other_operations(self, **parameters: int) -> int:
        """Two embeddings are brought to length one; each pair is scaled."""
        return 6 * parameters["batch"] * parameters["projection_dim"] + parameters["batch"] ** 2

    def compute_memory_reads(self, **parameters: int) -> int:
        return 2 * parameters["batch"] * parameters["projection_dim"] * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["batch"] ** 2 * parameters["dtype_bytes"]
