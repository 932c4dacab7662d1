"""Funnel-Transformer's attention: closed forms against integers derived by hand, and whole models that pool."""

import pytest

from netwright_predictor import predict
from netwright_predictor.analyzers.relative_attention import FunnelAttentionAnalyzer

HEADS = {"d_model": 32, "n_head": 2, "d_head": 8, "dtype_bytes": 4}


def test_pooled_queries_meet_keys_distances_and_segments() -> None:
    """3 sequences, 5 queries of 10 keys, 2 heads of 8, width 32: 10 + 2 * 5 distances, projected once."""
    projected = 2 * 20 * 32 * 16
    content = 2 * 3 * 16 * 5 * 10 * 2
    distances = 2 * 3 * 16 * 5 * 20
    segments = 2 * 3 * 16 * 5 * 2
    found = FunnelAttentionAnalyzer().compute_flops(batch=3, queries=5, keys=10, **HEADS)
    assert found == projected + content + distances + segments


def test_without_pooling_distances_are_twice_the_positions() -> None:
    """As 20 distances after pooling, but all 10 positions ask."""
    found = FunnelAttentionAnalyzer().compute_flops(batch=3, queries=10, keys=10, **HEADS)
    assert found == 2 * 20 * 32 * 16 + 2 * 3 * 16 * 10 * (2 * 10 + 20 + 2)


FUNNEL = {"d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 48, "vocab_size": 64, "block_sizes": [1, 2, 1]}
CANINE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}


@pytest.mark.parametrize("length", [26, 27, 28])
def test_a_model_that_pools_needs_no_derived_formula(length: int) -> None:
    found = predict("funnel", constants=FUNNEL, batch_size=2, sequence_length=length, check=True).check
    assert found.status == "exact"
    assert found.derived_share == 0


@pytest.mark.parametrize("length", [26, 28, 301])
def test_a_model_that_attends_piece_by_piece_is_exact_beyond_the_first(length: int) -> None:
    """CANINE's first encoder sees 128 characters at a time; the deep one every fourth of what was a character."""
    found = predict("canine", constants=CANINE, batch_size=2, sequence_length=length, check=True).check
    assert found.status == "exact"
    assert found.derived_share is not None
    assert found.derived_share < 0.25  # what is called once a piece is not written down
