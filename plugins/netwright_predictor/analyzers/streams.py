"""Streams: layers that keep several residual streams and mix them with small matrices."""

from collections.abc import Iterator
from math import prod

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

ONE = Polynomial.constant(1)


class StreamsAnalyzer(Analyzer):
    """A layer with `streams` copies of the hidden state, which a (streams, streams) matrix per token mixes.

    Hyper-connections (Zhu et al., arXiv:2409.19606, section 2) mix after each of two sublayers, AltUp (Baykal et al.,
    arXiv:2301.13310, section 3) once, before its layer.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("tokens", "streams", "mixes", "hidden_size", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        for dims in site.flow.dims.values():
            if len(dims) != 4:
                continue
            for streams, tokens in ((dims[2], dims[:2]), (dims[0], dims[1:3])):
                for mixes in (2, 1):
                    if streams.as_constant() and dims[3].as_constant():
                        yield {
                            "tokens": prod(tokens, start=ONE),
                            "streams": streams,
                            "mixes": Polynomial.constant(mixes),
                            "hidden_size": dims[3],
                        }

    def compute_flops(self, **parameters: int) -> int:
        """2 * tokens * mixes * streams**2 * hidden_size."""
        return 2 * parameters["mixes"] * parameters["streams"] * self._elements(**parameters)

    def compute_other_operations(self, **parameters: int) -> int:
        """What a sublayer returns is scaled for each stream and added."""
        return 2 * parameters["mixes"] * self._elements(**parameters)

    def compute_memory_reads(self, **parameters: int) -> int:
        return 2 * parameters["mixes"] * self._elements(**parameters) * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["mixes"] * self._elements(**parameters) * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """The streams before each mix."""
        return parameters["mixes"] * self._elements(**parameters) * parameters["dtype_bytes"]

    def _elements(self, **parameters: int) -> int:
        return parameters["tokens"] * parameters["streams"] * parameters["hidden_size"]
