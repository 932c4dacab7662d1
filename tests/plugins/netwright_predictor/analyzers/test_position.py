"""Rotary positions counted by hand."""

from netwright_predictor.analyzers.position import RotaryAnalyzer

# Heads of 128 have 64 frequencies; 2 sequences of 10 positions.
ROTARY = {"positions": 20, "frequencies": 64, "is_product": 1, "dtype_bytes": 2}


def test_positions_meet_frequencies_in_a_product_of_rank_one() -> None:
    # (64, 1) x (1, 10) in 2 sequences: 1 280 multiply-adds.
    assert RotaryAnalyzer().compute_flops(**ROTARY) == 2_560
    assert RotaryAnalyzer().compute_backward_flops(**ROTARY) == 0


def test_a_product_of_broadcast_tensors_is_no_matrix_product() -> None:
    broadcast = {**ROTARY, "is_product": 0}
    assert RotaryAnalyzer().compute_flops(**broadcast) == 0
    product, elementwise = (RotaryAnalyzer().compute_other_operations(**each) for each in (ROTARY, broadcast))
    assert elementwise - product == 1_280


def test_cosine_and_sine_cover_whole_heads() -> None:
    # 2 tensors of 20 positions and 128 numbers of 2 bytes.
    assert RotaryAnalyzer().compute_memory_writes(**ROTARY) == 2 * 20 * 128 * 2
