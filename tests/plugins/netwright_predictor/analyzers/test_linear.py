"""Linear layers counted by hand."""

from hypothesis import given
from hypothesis import strategies as st

from netwright_predictor.analyzers.linear import GroupedLinearAnalyzer, LinearAnalyzer

# 2 sequences of 5 tokens, from 768 to 3072 features, with a bias, in bf16.
UP = {"rows": 10, "in_features": 768, "out_features": 3072, "has_bias": 1, "dtype_bytes": 2}


def test_each_row_meets_each_weight() -> None:
    # 10 * 768 * 3072 = 23 592 960 multiply-adds.
    assert LinearAnalyzer().compute_flops(**UP) == 47_185_920


def test_the_backward_pass_has_two_products() -> None:
    # Gradient by input: (10, 3072) x (3072, 768); by weight: (3072, 10) x (10, 768). As many multiply-adds each.
    assert LinearAnalyzer().compute_backward_flops(**UP) == 2 * 10 * 3072 * 768 + 2 * 3072 * 10 * 768


def test_traffic_and_what_is_kept() -> None:
    # Read: input 7 680, weight 2 359 296, bias 3 072. Written: 30 720. Kept: the input. 2 bytes each.
    assert LinearAnalyzer().compute_memory_reads(**UP) == (7_680 + 2_359_296 + 3_072) * 2
    assert LinearAnalyzer().compute_memory_writes(**UP) == 30_720 * 2
    assert LinearAnalyzer().compute_intermediates(**UP) == 7_680 * 2
    assert LinearAnalyzer().compute_kept_inputs(**UP) == 7_680 * 2


def test_the_bias_is_one_addition_per_output() -> None:
    assert LinearAnalyzer().compute_other_operations(**UP) == 30_720
    assert LinearAnalyzer().compute_other_operations(**{**UP, "has_bias": 0}) == 0


def test_groups_are_blocks_on_a_diagonal() -> None:
    # 4 groups of 192 -> 768: a quarter of the dense layer's weights.
    grouped = {**UP, "groups": 4, "in_features": 192, "out_features": 768}
    assert GroupedLinearAnalyzer().compute_flops(**grouped) == 47_185_920 // 4
    assert GroupedLinearAnalyzer().compute_memory_writes(**grouped) == LinearAnalyzer().compute_memory_writes(**UP)


@given(rows=st.integers(1, 1000), factor=st.integers(1, 9))
def test_flops_are_linear_in_rows(rows: int, factor: int) -> None:
    flops = LinearAnalyzer().compute_flops
    assert flops(**{**UP, "rows": rows * factor}) == factor * flops(**{**UP, "rows": rows})


@given(left=st.integers(1, 4000), right=st.integers(1, 4000))
def test_a_fused_projection_costs_its_parts(left: int, right: int) -> None:
    flops = LinearAnalyzer().compute_flops
    fused = flops(**{**UP, "out_features": left + right})
    assert fused == flops(**{**UP, "out_features": left}) + flops(**{**UP, "out_features": right})
