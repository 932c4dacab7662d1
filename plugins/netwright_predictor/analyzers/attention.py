"""Attention: the products between queries, keys and values, which happen between a module's projections."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.analyzers.heads import head_sizes, is_causal, windows
from netwright_predictor.polynomial import Polynomial

Convention = Literal["full", "causal", "window"]
"""Which pairs of query and key count: all that are multiplied by a dense product, those that a causal mask leaves, or
those that a causal mask and the layer's window leave."""

Kernel = Literal["eager", "sdpa"]
"""Products and softmax as separate operators, or one operator that never stores the scores."""

FLOAT32_BYTES = 4
BATCH, NEW, CACHED, ENCODER = (Polynomial.variable(name) for name in "BSCE")
NONE = Polynomial.constant(0)


def visible_pairs(queries: int, keys: int, *, causal: bool = False, window: int = 0) -> int:
    """How many pairs of a query and a key a mask leaves, of queries that are the last of the keys' positions.

    Of `queries * keys` pairs, a causal mask takes the q(q-1)/2 whose key comes later, and a window those further off
    than it reaches: sums of consecutive integers, so that no length costs time.

    Args:
        window: With a causal mask, how many keys a query sees, itself among them; else, how far it sees to either side
            (both as transformers' masks have it). 0 is no window.
    """
    first = keys - queries
    hidden = queries * (queries - 1) // 2 if causal else 0
    if window:
        reach = window - 1 if causal else window
        hidden += _excess(keys - 1, reach) - _excess(first - 1, reach)
        hidden += 0 if causal else _excess(queries - 1, reach)
    return queries * keys - hidden


def _excess(last: int, reach: int) -> int:
    """The sum of max(distance - reach, 0) over distances from 0 to `last`."""
    further = max(last - reach, 0)
    return further * (further + 1) // 2


@dataclass(frozen=True)
class AttentionAnalyzer(Analyzer):
    """Multi-head, grouped-query and multi-query attention, of a sequence with itself and its cache or with another.

    Keys and values that several heads share are read once and multiplied by each head (Ainslie et al., GQA,
    arXiv:2305.13245, section 2). `keys` come with the call and `cached` lie in the cache, of which a sliding window
    leaves `cache_window - 1`. Queries and keys have `head_dim` numbers per head, values `value_head_dim` (as latent
    attention, DeepSeek-V2, arXiv:2405.04434, section 2.1), where that is not 0.

    Attributes:
        convention: Which pairs count; what a dense product computes, unless replaced.
        kernel: What computes it, which decides what is kept for the backward pass.
    """

    convention: Convention = "full"
    kernel: Kernel = "eager"

    def get_required_parameters(self) -> dict[str, str]:
        shapes = ("batch", "queries", "keys", "cached", "window", "cache_window", "is_causal")
        heads = ("num_attention_heads", "num_key_value_heads", "head_dim", "value_head_dim")
        return dict.fromkeys((*shapes, *heads, "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        window, cache_window = windows(site)
        masks = {
            "window": Polynomial.constant(window),
            "cache_window": Polynomial.constant(cache_window),
            "is_causal": Polynomial.constant(int(is_causal(site))),
        }
        for batch, queries, keys, cached in _lengths(site):
            for heads in head_sizes(site):
                lengths = {"batch": batch, "queries": queries, "keys": keys, "cached": cached}
                yield {**lengths, **masks, **{name: Polynomial.constant(value) for name, value in heads.items()}}

    def compute_flops(self, **parameters: int) -> int:
        """2 * pairs * head_dim for the scores and 2 * pairs * value_head_dim for the values."""
        return 2 * self.pairs(**parameters) * (parameters["head_dim"] + self._value_dim(**parameters))

    def compute_other_operations(self, **parameters: int) -> int:
        """Scale, mask, and softmax as maximum, difference, exponential, sum and quotient."""
        return 7 * self.pairs(**parameters)

    def compute_memory_reads(self, **parameters: int) -> int:
        """Queries; keys and values once for all heads that share them."""
        head_dim, value_dim = parameters["head_dim"], self._value_dim(**parameters)
        queries = parameters["queries"] * parameters["num_attention_heads"] * head_dim
        keys = self._keys(**parameters) * parameters["num_key_value_heads"] * (head_dim + value_dim)
        return parameters["batch"] * (queries + keys) * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        """What each query's heads return; eager attention writes the scores as well, and reads them again."""
        return parameters["batch"] * self._outputs(**parameters) * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """What the backward pass needs: queries, keys and values as they are multiplied, and the softmax.

        Eager: keys and values repeated for each head, the softmax in float32 and, where that is another type, as it
        meets the values. One operator: keys and values of each head, the outputs, and one float32 per query for the
        sums (Dao, FlashAttention-2, arXiv:2307.08691, section 3.1).
        """
        heads, head_dim, value_dim = (
            parameters["num_attention_heads"],
            parameters["head_dim"],
            self._value_dim(**parameters),
        )
        rows = parameters["queries"] * heads
        elements = rows * head_dim + self._keys(**parameters) * heads * (head_dim + value_dim)
        if self.kernel == "sdpa":
            kept = (elements + rows * value_dim) * parameters["dtype_bytes"] + rows * FLOAT32_BYTES
            return parameters["batch"] * kept
        cast = 0 if parameters["dtype_bytes"] == FLOAT32_BYTES else parameters["dtype_bytes"]
        softmax = rows * self._keys(**parameters) * (FLOAT32_BYTES + cast)
        return parameters["batch"] * (elements * parameters["dtype_bytes"] + softmax)

    def pairs(self, **parameters: int) -> int:
        """How often a query meets a key by the convention, over all sequences and heads."""
        keys = self._keys(**parameters)
        causal = self.convention != "full" and parameters["is_causal"] == 1
        window = parameters["window"] if self.convention == "window" else 0
        visible = visible_pairs(parameters["queries"], keys, causal=causal, window=window)
        return parameters["batch"] * parameters["num_attention_heads"] * visible

    def _keys(self, **parameters: int) -> int:
        cached, window = parameters["cached"], parameters["cache_window"]
        return parameters["keys"] + (min(cached, window - 1) if window else cached)

    def _value_dim(self, **parameters: int) -> int:
        return parameters["value_head_dim"] or parameters["head_dim"]

    def _outputs(self, **parameters: int) -> int:
        return parameters["queries"] * parameters["num_attention_heads"] * self._value_dim(**parameters)


@dataclass(frozen=True)
class DifferentialAttentionAnalyzer(AttentionAnalyzer):
    """Differential attention (Ye et al., arXiv:2410.05258) as two attentions by the same queries and keys.

    The values' heads fall into two halves, and each half is attended by all heads.
    """

    def compute_flops(self, **parameters: int) -> int:
        """Twice that of one attention."""
        return 2 * super().compute_flops(**parameters)

    def compute_other_operations(self, **parameters: int) -> int:
        return 2 * super().compute_other_operations(**parameters)

    def compute_memory_reads(self, **parameters: int) -> int:
        return 2 * super().compute_memory_reads(**parameters)

    def compute_memory_writes(self, **parameters: int) -> int:
        return 2 * super().compute_memory_writes(**parameters)

    def compute_intermediates(self, **parameters: int) -> int:
        return 2 * super().compute_intermediates(**parameters)


Lengths = tuple[Polynomial, Polynomial, Polynomial, Polynomial]
"""Batch, queries, keys of the call, keys in the cache."""


def _lengths(site: Site) -> Iterator[Lengths]:
    """What a call may attend over: its own positions and those cached, or another sequence's."""
    shapes = [dims for dims in site.flow.dims.values() if len(dims) == 3]
    if not shapes:
        return
    batch, queries, _ = shapes[0]
    yield batch, queries, queries, CACHED
    if CACHED not in (queries, NONE):
        yield batch, queries, queries, NONE
    for other in [*shapes[1:], *(dims for dims in site.flow.dims.values() if len(dims) == 4)]:
        if other[-2] != queries:
            yield batch, queries, other[-2], NONE
        if len(other) == 4 and other[-1] not in (queries, queries + CACHED):
            yield batch, queries, other[-1], NONE
    yield batch, queries, ENCODER, NONE
