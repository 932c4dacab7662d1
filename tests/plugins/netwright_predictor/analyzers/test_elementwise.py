"""Modules that multiply no matrices: what they keep, read and write, counted by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright_predictor.analyzers.activation import ActivationAnalyzer, DropoutAnalyzer
from netwright_predictor.analyzers.analyzer import Analyzer
from netwright_predictor.analyzers.composite import CompositeAnalyzer
from netwright_predictor.analyzers.embedding import EmbeddingAnalyzer
from netwright_predictor.analyzers.mlp import MlpAnalyzer
from netwright_predictor.analyzers.normalization import NormalizationAnalyzer

# 10 rows of 4096 in bf16.
RMS = {"rows": 10, "features": 4096, "weights": 4096, "is_centered": 0, "is_fused": 0, "dtype_bytes": 2}
LAYER_NORM = {**RMS, "weights": 8192, "is_centered": 1, "is_fused": 1}
SILU = {"elements": 40_960, "operations": 5, "kept": 1, "dtype_bytes": 2}
LOOKUP = {"rows": 10, "embedding_dim": 4096, "dtype_bytes": 2}
GATED = {"rows": 10, "intermediate_size": 14_336, "is_gated": 1, "dtype_bytes": 2}
LAYER = {"elements": 40_960, "additions": 2, "dtype_bytes": 2}
DROPOUT = {"elements": 40_960, "drops": 1, "dtype_bytes": 2}


@pytest.mark.parametrize(
    ("analyzer", "parameters"),
    [
        (NormalizationAnalyzer(), RMS),
        (NormalizationAnalyzer(), LAYER_NORM),
        (ActivationAnalyzer(), SILU),
        (DropoutAnalyzer(), DROPOUT),
        (EmbeddingAnalyzer(), LOOKUP),
        (MlpAnalyzer(), GATED),
        (CompositeAnalyzer(), LAYER),
    ],
)
def test_no_matrix_product_counts_and_all_parameters_are_declared(
    analyzer: Analyzer, parameters: dict[str, int]
) -> None:
    assert parameters.keys() == analyzer.get_required_parameters().keys()
    assert analyzer.compute_flops(**parameters) == analyzer.compute_backward_flops(**parameters) == 0
    assert analyzer.compute_kept_inputs(**parameters) <= analyzer.compute_intermediates(**parameters)


def test_an_rms_norm_that_is_spelled_out() -> None:
    norm = NormalizationAnalyzer()
    # Square, sum and scale of 40 960 elements, 2 per row for the root, one product with the weight.
    assert norm.compute_other_operations(**RMS) == 3 * 40_960 + 20 + 40_960
    # Kept: the rows in float32 (4 bytes), the scaled rows in bf16 (2), and a float32 for each row.
    assert norm.compute_intermediates(**RMS) == 6 * 40_960 + 40
    # None of these is the input: that is bf16, and the copy in float32 is another tensor.
    assert norm.compute_kept_inputs(**RMS) == 0
    assert norm.compute_kept_inputs(**{**RMS, "dtype_bytes": 4}) == 4 * 40_960


def test_a_layer_norm_in_one_operator() -> None:
    norm = NormalizationAnalyzer()
    # Mean (sum, difference), square, sum, scale: 5 per element; weight and bias: 2.
    assert norm.compute_other_operations(**LAYER_NORM) == 7 * 40_960 + 20
    # Kept: the input in bf16, and mean and deviation of each row in float32.
    assert norm.compute_intermediates(**LAYER_NORM) == 2 * 40_960 + 2 * 40
    assert norm.compute_memory_reads(**LAYER_NORM) == (40_960 + 8192) * 2


def test_an_embedding_reads_rows_and_their_numbers() -> None:
    assert EmbeddingAnalyzer().compute_memory_reads(**LOOKUP) == 10 * (4096 * 2 + 8)
    assert EmbeddingAnalyzer().compute_memory_writes(**LOOKUP) == 10 * 4096 * 2
    assert EmbeddingAnalyzer().compute_intermediates(**LOOKUP) == 80


def test_a_gate_is_one_product_and_keeps_both_factors() -> None:
    assert MlpAnalyzer().compute_other_operations(**GATED) == 143_360
    assert MlpAnalyzer().compute_intermediates(**GATED) == 2 * 143_360 * 2
    assert MlpAnalyzer().compute_intermediates(**{**GATED, "is_gated": 0}) == 0


def test_residuals_are_additions_that_keep_nothing() -> None:
    assert CompositeAnalyzer().compute_other_operations(**LAYER) == 81_920
    assert CompositeAnalyzer().compute_memory_reads(**LAYER) == 4 * 40_960 * 2
    assert CompositeAnalyzer().compute_intermediates(**LAYER) == 0


def test_dropout_keeps_a_mask_of_bytes_only_where_it_drops() -> None:
    assert DropoutAnalyzer().compute_intermediates(**DROPOUT) == 40_960
    assert DropoutAnalyzer().compute_intermediates(**{**DROPOUT, "drops": 0}) == 0
    assert DropoutAnalyzer().compute_memory_reads(**{**DROPOUT, "drops": 0}) == 0


@given(rows=st.integers(1, 999), factor=st.integers(1, 9))
def test_what_a_norm_keeps_is_linear_in_its_rows(rows: int, factor: int) -> None:
    kept = NormalizationAnalyzer().compute_intermediates
    for norm in (RMS, LAYER_NORM):
        assert kept(**{**norm, "rows": rows * factor}) == factor * kept(**{**norm, "rows": rows})
