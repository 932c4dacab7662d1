"""Attention of encoders, images and speech: closed forms against integers derived by hand."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netwright_predictor.analyzers.local_attention import LocalAttentionAnalyzer, SlidingChunksAnalyzer
from netwright_predictor.analyzers.multihead import MultiheadAnalyzer
from netwright_predictor.analyzers.relative_attention import RelativeAttentionAnalyzer


def test_longt5_sees_three_blocks() -> None:
    """300 tokens in blocks of 128: 3 blocks, each 128 queries with 384 keys, 8 heads of 64, scores and values."""
    sizes = {"queries": 128, "keys": 384, "num_attention_heads": 8, "head_dim": 64, "value_head_dim": 64}
    found = LocalAttentionAnalyzer().compute_flops(batch=2, length=300, block_size=128, dtype_bytes=4, **sizes)
    assert found == 2 * 3 * 8 * 128 * 384 * (64 + 64) * 2


def test_longformer_overlaps_by_half() -> None:
    """512 tokens, 256 to a side: one chunk of 512 * 512 scores, two blocks of 256 with the values of 768."""
    sizes = {"queries": 256, "keys": 768, "num_attention_heads": 16, "head_dim": 64, "value_head_dim": 64}
    found = SlidingChunksAnalyzer().compute_flops(batch=1, length=512, block_size=256, dtype_bytes=4, **sizes)
    assert found == 2 * 16 * 64 * (512 * 512 + 2 * 256 * 768)


def test_a_conformer_meets_999_distances() -> None:
    """500 frames, 8 heads of 128: scores and values of 500 * 500 each, and 500 * 999 with distances."""
    found = RelativeAttentionAnalyzer().compute_flops(
        batch=1, queries=500, keys=500, positions=999, terms=1, num_attention_heads=8, head_dim=128, dtype_bytes=4
    )
    assert found == 2 * 8 * 128 * (2 * 500 * 500 + 500 * 999) == 2_046_976_000


def test_deberta_meets_distances_twice() -> None:
    """6 tokens, 12 heads of 64, spans of 256 to each side: plain 4 * 12 * 36 * 64, and twice 2 * 12 * 6 * 512 * 64."""
    found = RelativeAttentionAnalyzer().compute_flops(
        batch=1, queries=6, keys=6, positions=512, terms=2, num_attention_heads=12, head_dim=64, dtype_bytes=4
    )
    assert found == 4 * 12 * 36 * 64 + 2 * 2 * 12 * 6 * 512 * 64


def test_torchs_multi_head_attention_is_what_torch_counts() -> None:
    module = nn.MultiheadAttention(16, 2, kdim=8, vdim=12, batch_first=True, device="meta")
    query, key, value = (torch.empty(3, length, width, device="meta") for length, width in ((5, 16), (7, 8), (7, 12)))
    with FlopCounterMode(display=False) as counter:
        module(query, key, value, need_weights=True)
    sizes = {"embed_dim": 16, "key_width": 8, "value_width": 12, "has_projections": 1}
    found = MultiheadAnalyzer().compute_flops(batch=3, queries=5, keys=7, dtype_bytes=4, **sizes)
    assert found == counter.get_total_flops()
