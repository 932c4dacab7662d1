"""Mixtures of experts counted by hand."""

from netwright_predictor.analyzers.experts import ExpertsAnalyzer, RouterAnalyzer

# Mixtral-8x7B: 8 experts of 4096 -> 2 * 14336 -> 4096, of which a token meets 2; 10 tokens in bf16.
MIXTRAL = {
    "rows": 10,
    "top_k": 2,
    "num_experts": 8,
    "expert_weights": 3 * 4096 * 14336,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "dtype_bytes": 2,
}
ROUTER = {"rows": 10, "in_features": 4096, "out_features": 8, "has_bias": 0, "dtype_bytes": 2}


def test_a_token_meets_the_weights_of_the_experts_it_is_routed_to() -> None:
    # Gate, up and down: 3 * 4096 * 14336 = 176 160 768 multiply-adds per expert; 20 of 10 tokens and 2 choices.
    assert ExpertsAnalyzer().compute_flops(**MIXTRAL) == 2 * 20 * 176_160_768


def test_no_more_experts_are_read_than_there_are_or_than_are_met() -> None:
    weights = 176_160_768 * 2
    assert ExpertsAnalyzer().compute_memory_reads(**MIXTRAL) == 8 * weights + 20 * 4096 * 2
    # One token meets 2 experts, whose weights are all that has to be read.
    assert ExpertsAnalyzer().compute_memory_reads(**{**MIXTRAL, "rows": 1}) == 2 * weights + 2 * 4096 * 2


def test_experts_keep_rows_gates_and_products() -> None:
    # Per meeting: 2 rows of 4096 and 4 of 14336, of 2 bytes.
    assert ExpertsAnalyzer().compute_intermediates(**MIXTRAL) == 20 * (2 * 4096 + 4 * 14336) * 2


def test_the_router_scores_every_expert() -> None:
    # 10 * 4096 * 8 multiply-adds; softmax over 80 scores at 5 operations each, and a comparison.
    assert RouterAnalyzer().compute_flops(**ROUTER) == 655_360
    assert RouterAnalyzer().compute_other_operations(**ROUTER) == 480
    assert RouterAnalyzer().compute_intermediates(**ROUTER) == 10 * 4096 * 2 + 80 * 4
    assert RouterAnalyzer().compute_kept_inputs(**ROUTER) == 10 * 4096 * 2
