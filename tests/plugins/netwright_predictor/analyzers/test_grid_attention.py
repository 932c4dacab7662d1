"""Attention over grids, products as modules and XLNet's attention: closed forms against integers derived by hand."""

import pytest

from netwright_predictor import predict
from netwright_predictor.analyzers.grid_attention import GridAttentionAnalyzer
from netwright_predictor.analyzers.product import ProductAnalyzer
from netwright_predictor.analyzers.relative_attention import ProjectingRelativeAttentionAnalyzer

GRID = {"rows": 14, "columns": 14, "num_attention_heads": 12, "head_dim": 64, "dtype_bytes": 4}


def test_sam_meets_rows_and_columns() -> None:
    """25 windows of 196 positions, 12 heads of 64: scores and values of 196 * 196, and 196 * (14 + 14) distances."""
    found = GridAttentionAnalyzer().compute_flops(batch=25, query_stride=1, distances=1, leftover=0, **GRID)
    assert found == 25 * 12 * 2 * 64 * (2 * 196 * 196 + 196 * 28) == 3_161_088_000


def test_pooled_queries_are_a_quarter() -> None:
    """Of 14 by 14 positions, 7 by 7 queries."""
    found = GridAttentionAnalyzer().compute_flops(batch=1, query_stride=2, distances=0, leftover=0, **GRID)
    assert found == 12 * 4 * 49 * 196 * 64


def test_what_sam_2_forgets_counts_too() -> None:
    """1,024 windows of 8 by 8, one head of 96: plain 4 * 64 * 64 * 96, and 2 * 64 * 96 for one head with itself."""
    sizes = {"rows": 8, "columns": 8, "num_attention_heads": 1, "head_dim": 96, "dtype_bytes": 4}
    found = GridAttentionAnalyzer().compute_flops(batch=1024, query_stride=1, distances=0, leftover=1, **sizes)
    assert found == 1024 * (4 * 64 * 64 * 96 + 2 * 64 * 96) == 1_623_195_648


def test_a_product_is_twice_its_multiplications() -> None:
    found = ProductAnalyzer().compute_flops(batch=2, groups=12, rows=7, inner=64, columns=9, dtype_bytes=4)
    assert found == 2 * 2 * 12 * 7 * 64 * 9


def test_xlnet_projects_distances_anew() -> None:
    """6 tokens of width 1,024, 12 distances, 16 heads of 64, one sequence.

    Queries, keys, values and outputs: 4 * 2 * 6 * 1024 * 1024; distances: 2 * 12 * 1024 * 1024; scores and values of
    6 * 6, and 6 * 12 with distances: 2 * 16 * 64 * (36 + 36 + 72).
    """
    found = ProjectingRelativeAttentionAnalyzer().compute_flops(
        batch=1, length=6, positions=12, d_model=1024, n_head=16, d_head=64, dtype_bytes=4
    )
    assert found == 8 * 6 * 1024**2 + 2 * 12 * 1024**2 + 2 * 16 * 64 * 144


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.mark.parametrize(
    ("model", "constants"),
    [
        ("xlnet", {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48, "vocab_size": 64}),
        ("squeezebert", {**SMALL, "embedding_size": 32, "intermediate_size": 48, "vocab_size": 64}),
        ("vitdet", {**SMALL, "image_size": 64, "window_size": 2, "use_relative_position_embeddings": True}),
        ("sam_vision_model", {**SMALL, "image_size": 64, "window_size": 3, "global_attn_indexes": [1], "mlp_dim": 48}),
    ],
)
def test_whole_models_need_no_derived_formula(model: str, constants: dict[str, object]) -> None:
    length = 24 if model in ("xlnet", "squeezebert") else None
    found = predict(model, constants=constants, batch_size=2, sequence_length=length, check=True).check
    assert found.status == "exact"
    assert found.derived_share == 0
