"""Codebooks: codecs hold each frame against every entry, and keep the number of the nearest."""

from collections.abc import Iterator

from torch import Tensor, nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial


class CodebookAnalyzer(Analyzer):
    """Vector quantization by Euclidean distance: |x - e|² = |x|² - 2 x·e + |e|², of each frame and each entry.

    A model does it itself: it calls its codebooks' own functions (van den Oord et al., arXiv:1711.00937, equation 1).
    """

    def get_required_parameters(self) -> dict[str, str]:
        sizes = ("batch", "codebooks", "frames", "codebook_size", "codebook_dim")
        return dict.fromkeys((*sizes, "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        book = codebook_of(site.module)
        if book is None:
            return
        size, dim = map(Polynomial.constant, book.shape)
        for codes in site.flow.outputs:
            if len(codes) == 3:
                sizes = {"codebook_size": size, "codebook_dim": dim}
                yield {"batch": codes[0], "codebooks": codes[1], "frames": codes[2], **sizes}

    def compute_flops(self, **parameters: int) -> int:
        """2 * batch * codebooks * frames * codebook_size * codebook_dim."""
        return 2 * _codes(parameters) * parameters["codebook_size"] * parameters["codebook_dim"]

    def compute_other_operations(self, **parameters: int) -> int:
        """Squares and their sums on both sides, two sums per pair, and the comparisons that find the nearest."""
        both = _codes(parameters) + parameters["codebooks"] * parameters["codebook_size"]
        return 2 * both * parameters["codebook_dim"] + 4 * _codes(parameters) * parameters["codebook_size"]

    def compute_memory_reads(self, **parameters: int) -> int:
        """Frames and codebooks."""
        rows = _codes(parameters) + parameters["codebooks"] * parameters["codebook_size"]
        return rows * parameters["codebook_dim"] * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        """The distances."""
        return _codes(parameters) * parameters["codebook_size"] * parameters["dtype_bytes"]


def codebook_of(module: nn.Module) -> Tensor | None:
    """The first codebook below a module, (entries, dimensions), or None."""
    for name, buffer in module.named_buffers():
        if name.endswith("codebook.embed") and buffer.dim() == 2:
            return buffer
    return None


def _codes(parameters: dict[str, int]) -> int:
    return parameters["batch"] * parameters["codebooks"] * parameters["frames"]
