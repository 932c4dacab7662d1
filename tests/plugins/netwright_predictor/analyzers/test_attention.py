"""Attention counted by hand, and masks against a loop over all pairs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright_predictor.analyzers.attention import (
    AttentionAnalyzer,
    DifferentialAttentionAnalyzer,
    visible_pairs,
)

# Mistral-7B's attention, 3 sequences of 10 new tokens after 6 cached ones: 32 heads of 128, keys and values in 8.
MISTRAL = {
    "batch": 3,
    "queries": 10,
    "keys": 10,
    "cached": 6,
    "window": 0,
    "cache_window": 0,
    "is_causal": 1,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "value_head_dim": 0,
    "dtype_bytes": 2,
}
LENGTHS = st.integers(1, 12)


def brute_force(queries: int, keys: int, *, causal: bool, window: int) -> int:
    """Every pair asked one by one, as transformers' mask functions ask: `masking_utils`, overlays of both kinds."""
    seen = 0
    for query in range(keys - queries, keys):
        for key in range(keys):
            early_enough = not causal or key <= query
            near_enough = not window or (key > query - window if causal else abs(query - key) <= window)
            seen += early_enough and near_enough
    return seen


@given(queries=LENGTHS, earlier=st.integers(0, 12), causal=st.booleans(), window=st.integers(0, 30))
def test_visible_pairs_are_those_that_a_mask_leaves(queries: int, earlier: int, causal: bool, window: int) -> None:
    keys = queries + earlier
    expected = brute_force(queries, keys, causal=causal, window=window)
    assert visible_pairs(queries, keys, causal=causal, window=window) == expected


@given(queries=LENGTHS, earlier=st.integers(0, 12))
def test_causal_pairs_and_the_strict_upper_triangle_are_all_pairs(queries: int, earlier: int) -> None:
    keys = queries + earlier
    strict_upper = queries * (queries - 1) // 2
    assert visible_pairs(queries, keys, causal=True) + strict_upper == visible_pairs(queries, keys) == queries * keys


def test_visible_pairs_of_a_million_tokens() -> None:
    # Rows 1 to 4096 see 1 to 4096 keys, the other 995 904 see 4096 each.
    expected = 4096 * 4097 // 2 + (1_000_000 - 4096) * 4096
    assert visible_pairs(1_000_000, 1_000_000, causal=True, window=4096) == expected


def test_attention_counts_scores_and_values() -> None:
    # Pairs: 3 sequences * 32 heads * 10 queries * 16 keys = 15 360.
    # Each pair: 128 multiply-adds for its score and 128 for its share of the value, 2 FLOPs each: 512.
    assert AttentionAnalyzer().compute_flops(**MISTRAL) == 15_360 * 512 == 7_864_320


def test_attention_under_a_causal_mask() -> None:
    # Query i of 10 sees the 6 cached keys and i + 1 of its own: 10 * 6 + 55 = 115 pairs of 160.
    analyzer = replace(AttentionAnalyzer(), convention="causal")
    assert analyzer.compute_flops(**MISTRAL) == 3 * 32 * 115 * 512


def test_attention_under_a_window() -> None:
    # With a window of 4 and 6 cached keys every query sees 4: 40 pairs.
    analyzer = replace(AttentionAnalyzer(), convention="window")
    assert analyzer.compute_flops(**{**MISTRAL, "window": 4}) == 3 * 32 * 40 * 512
    assert replace(analyzer, convention="causal").compute_flops(**{**MISTRAL, "window": 4}) == 3 * 32 * 115 * 512


def test_a_sliding_cache_hands_out_one_key_less_than_its_window() -> None:
    # A window of 5 keeps 4 of the 6 cached keys, so that 10 queries meet 14 keys.
    assert AttentionAnalyzer().compute_flops(**{**MISTRAL, "cache_window": 5}) == 3 * 32 * 10 * 14 * 512


def test_attention_whose_values_are_narrower_than_its_keys() -> None:
    # DeepSeek-V3: queries and keys of 192, values of 128: 2 * (192 + 128) per pair.
    latent = {**MISTRAL, "head_dim": 192, "value_head_dim": 128}
    assert AttentionAnalyzer().compute_flops(**latent) == 15_360 * 640


def test_attention_reads_shared_heads_once() -> None:
    # Queries 10 * 32 * 128 = 40 960; keys and values 2 * 16 * 8 * 128 = 32 768; 3 sequences; 2 bytes.
    assert AttentionAnalyzer().compute_memory_reads(**MISTRAL) == 3 * (40_960 + 32_768) * 2
    assert AttentionAnalyzer().compute_memory_writes(**MISTRAL) == 3 * 40_960 * 2


def test_eager_attention_keeps_the_softmax_and_one_operator_does_not() -> None:
    # Operands per sequence: queries 40 960, keys and values repeated for 32 heads 2 * 16 * 32 * 128 = 131 072.
    # Softmax: 10 * 16 * 32 = 5 120 scores, 4 bytes in float32 and 2 as they meet the values.
    eager = 3 * ((40_960 + 131_072) * 2 + 5_120 * 6)
    assert AttentionAnalyzer().compute_intermediates(**MISTRAL) == eager
    # In one operator: outputs instead (40 960), and one float32 for each of 320 rows.
    fused = 3 * ((40_960 + 131_072 + 40_960) * 2 + 320 * 4)
    assert AttentionAnalyzer(kernel="sdpa").compute_intermediates(**MISTRAL) == fused


def test_eager_attention_in_float32_casts_nothing() -> None:
    wide = {**MISTRAL, "dtype_bytes": 4}
    assert AttentionAnalyzer().compute_intermediates(**wide) == 3 * ((40_960 + 131_072) * 4 + 5_120 * 4)


def test_differential_attention_attends_twice() -> None:
    assert DifferentialAttentionAnalyzer().compute_flops(**MISTRAL) == 2 * AttentionAnalyzer().compute_flops(**MISTRAL)


@pytest.mark.parametrize("analyzer", [AttentionAnalyzer(), DifferentialAttentionAnalyzer()])
@given(batch=st.integers(1, 50), factor=st.integers(1, 9))
def test_everything_is_linear_in_the_batch(analyzer: AttentionAnalyzer, batch: int, factor: int) -> None:
    one, many = {**MISTRAL, "batch": batch}, {**MISTRAL, "batch": batch * factor}
    for compute in (
        analyzer.compute_flops,
        analyzer.compute_backward_flops,
        analyzer.compute_other_operations,
        analyzer.compute_memory_reads,
        analyzer.compute_memory_writes,
        analyzer.compute_intermediates,
    ):
        assert compute(**many) == factor * compute(**one)


@given(first=LENGTHS, second=LENGTHS)
def test_decoding_token_by_token_costs_the_causal_prefill(first: int, second: int) -> None:
    # Prefill of `first + second` tokens, against prefill of `first` and one decode step for each of the others.
    causal = AttentionAnalyzer(convention="causal")
    whole = causal.compute_flops(**{**MISTRAL, "queries": first + second, "keys": first + second, "cached": 0})
    parts = causal.compute_flops(**{**MISTRAL, "queries": first, "keys": first, "cached": 0})
    for step in range(second):
        parts += causal.compute_flops(**{**MISTRAL, "queries": 1, "keys": 1, "cached": first + step})
    assert whole == parts
