"""Indexers of sparse attention and layers of several streams, counted by hand."""

from hypothesis import given
from hypothesis import strategies as st

from netwright_predictor.analyzers.compressed import (
    CompressedAttentionAnalyzer,
    CompressedScoresAnalyzer,
    whole_blocks,
)
from netwright_predictor.analyzers.indexer import IndexerAnalyzer
from netwright_predictor.analyzers.streams import StreamsAnalyzer


def test_an_indexer_scores_every_key_for_every_query() -> None:
    # DeepSeek-V3.2: 64 heads of 128. 2 sequences, 3 queries, 10 keys: 60 pairs, 3 840 scores of 128 multiply-adds,
    # and one more per score to add up the heads.
    parameters = {"batch": 2, "queries": 3, "keys": 10, "heads": 64, "head_dim": 128, "dtype_bytes": 2}
    assert IndexerAnalyzer().compute_flops(**parameters) == 2 * 3_840 * 128 + 2 * 3_840
    assert IndexerAnalyzer().compute_backward_flops(**parameters) == 0
    assert IndexerAnalyzer().compute_memory_writes(**parameters) == 60 * 4


def test_streams_are_mixed_after_each_sublayer() -> None:
    # 6 tokens of 4 streams of 512: a (4, 4) matrix by (4, 512), 8 192 multiply-adds per token and mix.
    parameters = {"tokens": 6, "streams": 4, "mixes": 2, "hidden_size": 512, "dtype_bytes": 2}
    assert StreamsAnalyzer().compute_flops(**parameters) == 2 * 6 * 2 * 8_192
    assert StreamsAnalyzer().compute_intermediates(**parameters) == 2 * 6 * 4 * 512 * 2


@given(tokens=st.integers(0, 60), rate=st.integers(1, 9))
def test_whole_blocks_are_added_up_in_closed_form(tokens: int, rate: int) -> None:
    assert whole_blocks(tokens, rate) == sum(seen // rate for seen in range(1, tokens + 1))


def test_compressed_attention_sees_a_window_and_entries() -> None:
    # 4 heads of 8; 3 queries after 9 cached tokens; the cache of a window of 4 keeps 3, so 6 keys; 12 tokens make 2
    # entries of 5: 3 * (6 + 2) = 24 pairs in the dense product, 2 * 8 FLOPs each for scores and for values.
    parameters = {
        "batch": 1,
        "queries": 3,
        "keys": 3,
        "cached": 9,
        "window": 4,
        "cache_window": 4,
        "is_causal": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "value_head_dim": 0,
        "dtype_bytes": 2,
        "compress_rate": 5,
    }
    assert CompressedAttentionAnalyzer().compute_flops(**parameters) == 4 * 24 * 32
    # By the masks: 4 keys of the window each, and 2, 2 and 2 entries that are whole at tokens 10, 11 and 12.
    masked = CompressedAttentionAnalyzer(convention="window")
    assert masked.compute_flops(**parameters) == 4 * (12 + 6) * 32
    # At tokens 8 and 9 there was but one: 3 queries after 6 see 7 // 5 + 8 // 5 + 9 // 5 = 3 entries.
    assert masked.compute_flops(**{**parameters, "cached": 6}) == 4 * (12 + 3) * 32


def test_compressed_scores() -> None:
    # 2 sequences, 3 queries of 4 heads, 12 tokens in 3 entries of 4: 72 scores of 8 multiply-adds.
    parameters = {"batch": 2, "queries": 3, "tokens": 12, "compress_rate": 4, "heads": 4, "head_dim": 8}
    assert CompressedScoresAnalyzer().compute_flops(**parameters) == 2 * 72 * 8
    assert CompressedScoresAnalyzer().compute_memory_writes(**parameters) == 4 * 18
