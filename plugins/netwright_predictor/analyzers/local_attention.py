"""Local attention: positions that attend within blocks or windows, or over keys that were thinned out."""

from collections.abc import Iterator
from math import isqrt

from torch import nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.analyzers.instance import integer
from netwright_predictor.analyzers.mixer import chunks
from netwright_predictor.polynomial import Polynomial

KEY_STRIDE = 2
"""Rows, and columns, of the grid per row of keys where a strided convolution makes those (CvT)."""
POOLED_KEYS = 49
"""Keys that linear spatial reduction leaves: 7 by 7 (PVTv2, arXiv:2106.13797, section 3.2)."""


class LocalAttentionAnalyzer(Analyzer):
    """Attention of `queries` positions per block to `keys`, in ⌈length / block_size⌉ blocks, the last one padded.

    Covers blocks that see their neighbours (LongT5, arXiv:2112.07916, section 3.1: three blocks of keys), mask units
    with pooled queries (Hiera, arXiv:2306.00989), keys that a strided convolution thins out (PVT, arXiv:2102.12122,
    and SegFormer), and values wider than keys (LeViT, arXiv:2104.01136). Where all see all, there is one block.
    """

    def get_required_parameters(self) -> dict[str, str]:
        sizes = ("batch", "length", "block_size", "queries", "keys")
        heads = ("num_attention_heads", "head_dim", "value_head_dim")
        return dict.fromkeys((*sizes, *heads, "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        hidden = next((dims for dims in site.flow.dims.values() if len(dims) == 3), None)
        if hidden is None:
            return
        batch, length, width = hidden
        module = site.module
        heads = integer(module, "num_attention_heads", "num_heads", "n_heads")
        if heads is None:
            return
        head = integer(module, "head_dim", "key_dim", "attention_head_size", "key_value_proj_dim")
        head = head or (width.as_constant() or 0) // heads
        value = head * (integer(module, "attention_ratio") or 1)
        constants = {"num_attention_heads": heads, "head_dim": head, "value_head_dim": value}
        known = {name: Polynomial.constant(number) for name, number in constants.items()}
        for block, queries, keys in _blocks(module, length):
            yield {"batch": batch, "length": length, "block_size": block, "queries": queries, "keys": keys, **known}

    def compute_flops(self, **parameters: int) -> int:
        """2 * batch * blocks * heads * queries * keys * (head_dim + value_head_dim)."""
        return 2 * self._pairs(**parameters) * (parameters["head_dim"] + parameters["value_head_dim"])

    def compute_other_operations(self, **parameters: int) -> int:
        """Scale, bias, and softmax as maximum, difference, exponential, sum and quotient."""
        return 7 * self._pairs(**parameters)

    def compute_memory_reads(self, **parameters: int) -> int:
        """Queries, keys and values of each block."""
        wide = parameters["head_dim"] + parameters["value_head_dim"]
        per_head = parameters["queries"] * parameters["head_dim"] + parameters["keys"] * wide
        return self._heads(**parameters) * per_head * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        outputs = parameters["queries"] * parameters["value_head_dim"]
        return self._heads(**parameters) * outputs * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Queries, keys, values and the softmax."""
        softmax = self._pairs(**parameters) * parameters["dtype_bytes"]
        return self.compute_memory_reads(**parameters) + softmax

    def _heads(self, **parameters: int) -> int:
        blocks = chunks(parameters["length"], parameters["block_size"])
        return parameters["batch"] * blocks * parameters["num_attention_heads"]

    def _pairs(self, **parameters: int) -> int:
        return self._heads(**parameters) * parameters["queries"] * parameters["keys"]


def _blocks(module: nn.Module, length: Polynomial) -> Iterator[tuple[Polynomial, Polynomial, Polynomial]]:
    """Sizes of a block, of its queries and of its keys."""
    constant = Polynomial.constant
    block = integer(module, "block_len")
    if block:
        yield constant(block), constant(block), constant(3 * block)
    stride, window = integer(module, "query_stride"), integer(module, "window_size")
    positions = length.as_constant()
    if stride and window:
        yield constant(stride * window), constant(window), constant(stride * window)
        if positions:
            yield length, constant(positions // stride), length
    ratio = integer(
        module, "sequence_reduction_ratio", "spatial_reduction_ratio", "sr_ratio", "sequences_reduction_ratio"
    )
    if ratio and positions:
        yield length, length, constant(positions // ratio**2)
    if positions and hasattr(module, "with_cls_token"):  # CvT, arXiv:2103.15808, section 3.2: keys at every other place
        special = int(bool(module.with_cls_token))
        yield length, length, constant(special + (-(-isqrt(positions - special) // KEY_STRIDE)) ** 2)
    side = integer(module, "resolution_out")
    if side:
        yield length, constant(side**2), length
    yield length, length, constant(POOLED_KEYS)
    yield length, length, length


class SlidingChunksAnalyzer(LocalAttentionAnalyzer):
    """Longformer's sliding windows (arXiv:2004.05150, section 3.2), computed in chunks that overlap by half.

    Of a length that is a whole number of windows of w positions to one side: length / w - 1 chunks of 2w positions, in
    which all scores are made, and length / w blocks of w positions, each of which meets the values of 3w.
    `block_size` is w.
    """

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        window = integer(site.module, "one_sided_attn_window_size")
        if window is None:
            return
        size = Polynomial.constant(window)
        for found in super().dimensions(site):
            yield {**found, "block_size": size, "queries": size, "keys": size * 3}

    def compute_flops(self, **parameters: int) -> int:
        """2 * batch * heads * head_dim * ((length / w - 1) * 4w² + length / w * 3w²)."""
        window = parameters["block_size"]
        blocks = chunks(parameters["length"], window)
        pairs = (blocks - 1) * 4 * window**2 + blocks * 3 * window**2
        return 2 * parameters["batch"] * parameters["num_attention_heads"] * parameters["head_dim"] * pairs
