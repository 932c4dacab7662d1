"""Compressed attention: beside the keys in a window, one key for every few tokens of the whole past."""

from collections.abc import Iterator
from dataclasses import dataclass

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.analyzers.attention import AttentionAnalyzer
from netwright_predictor.polynomial import Polynomial

CACHED = Polynomial.variable("C")


def whole_blocks(tokens: int, rate: int) -> int:
    """The sum of how many whole blocks of `rate` tokens lie in the first 1, 2, ... `tokens` tokens, in closed form."""
    blocks, rest = divmod(tokens, rate)
    return rate * blocks * (blocks - 1) // 2 + blocks * (rest + 1)


@dataclass(frozen=True)
class CompressedAttentionAnalyzer(AttentionAnalyzer):
    """Attention over a window and over compressed entries, one for each whole block of `compress_rate` tokens.

    As in DeepSeek-V4: the cache keeps the window's keys and all entries. A query sees the entries of blocks that lie
    wholly in its past.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return {**super().get_required_parameters(), "compress_rate": "int"}

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        rate = getattr(getattr(site.module, "compressor", None), "compress_rate", None)
        window = getattr(site.module, "sliding_window", None)
        if isinstance(rate, int) and isinstance(window, int):
            sizes = {"compress_rate": rate, "window": window, "cache_window": window}
            for dimensions in super().dimensions(site):
                yield {**dimensions, **{name: Polynomial.constant(value) for name, value in sizes.items()}}

    def pairs(self, **parameters: int) -> int:
        """How often a query meets a key or an entry by the convention, over all sequences and heads."""
        local = {**parameters, "compress_rate": 0}
        seen, queries, rate = self._tokens(**parameters), parameters["queries"], parameters["compress_rate"]
        if not rate:
            return super().pairs(**parameters)
        if self.convention == "full":
            entries = queries * (seen // rate)
        else:
            entries = whole_blocks(seen, rate) - whole_blocks(seen - queries, rate)
        return self.pairs(**local) + parameters["batch"] * parameters["num_attention_heads"] * entries

    def _keys(self, **parameters: int) -> int:
        rate = parameters["compress_rate"]
        return super()._keys(**parameters) + (self._tokens(**parameters) // rate if rate else 0)

    def _tokens(self, **parameters: int) -> int:
        return parameters["keys"] + parameters["cached"]


class CompressedScoresAnalyzer(Analyzer):
    """The indexer's scores of every compressed entry for every query: `heads` products of `head_dim`, in float32."""

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("batch", "queries", "tokens", "compress_rate", "heads", "head_dim"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        rates = site.config.get("compress_rates")
        for rate in rates.values() if isinstance(rates, dict) else ():
            for dims in site.flow.dims.values():
                if len(dims) == 4:
                    yield {
                        "batch": dims[0],
                        "queries": dims[1],
                        "tokens": dims[1] + CACHED,
                        "compress_rate": Polynomial.constant(rate),
                        "heads": dims[2],
                        "head_dim": dims[3],
                    }

    def compute_flops(self, **parameters: int) -> int:
        """2 * scores * head_dim."""
        return 2 * self._scores(**parameters) * parameters["head_dim"]

    def compute_backward_flops(self, **parameters: int) -> int:
        """It chooses, and is not differentiated."""
        del parameters
        return 0

    def compute_other_operations(self, **parameters: int) -> int:
        """ReLU, scale, weight and sum over heads."""
        return 4 * self._scores(**parameters)

    def compute_memory_reads(self, **parameters: int) -> int:
        rows = parameters["queries"] * parameters["heads"] + parameters["tokens"] // parameters["compress_rate"]
        return 4 * parameters["batch"] * rows * parameters["head_dim"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return 4 * self._scores(**parameters) // parameters["heads"]

    def _scores(self, **parameters: int) -> int:
        entries = parameters["tokens"] // parameters["compress_rate"]
        return parameters["batch"] * parameters["heads"] * parameters["queries"] * entries
