"""Formulas of operators: against integers by hand, and grouped products against the same model without them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from transformers import MixtralConfig, MixtralForCausalLM

from netwright_predictor.tracing.counter import OperatorCounter
from netwright_predictor.tracing.fake import faked
from netwright_predictor.tracing.feed import Feed
from netwright_predictor.tracing.formulas import is_silent
from netwright_predictor.tracing.sizes import Sizes
from netwright_predictor.tracing.trace import trace


def zeros(*shape: int) -> Tensor:
    return torch.zeros(*shape)


def attend(states: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(states, states, states)


@pytest.mark.parametrize(
    ("compute", "flops"),
    [
        (lambda: zeros(3, 4) @ zeros(4), 2 * 12),
        (lambda: zeros(4) @ zeros(4), 2 * 4),
        (lambda: torch.addmv(zeros(3), zeros(3, 4), zeros(4)), 2 * 12),
        (lambda: torch.addr(zeros(3, 4), zeros(3), zeros(4)), 2 * 12),
        (lambda: torch.addbmm(zeros(3, 4), zeros(2, 3, 5), zeros(2, 5, 4)), 2 * 2 * 3 * 5 * 4),
        (lambda: functional.bilinear(zeros(2, 4), zeros(2, 5), zeros(3, 4, 5)), 2 * 2 * 3 * 20),
        (lambda: torch.linalg.solve_triangular(zeros(2, 4, 4), zeros(2, 4, 3), upper=False), 2 * 16 * 3),
        (lambda: torch.linalg.solve(zeros(6, 6), zeros(6, 2)), 2 * 216 // 3 + 2 * 36 * 2),
        (lambda: torch.linalg.solve(zeros(6, 6), zeros(6)), 2 * 216 // 3 + 2 * 36),
        (lambda: torch.linalg.inv(zeros(4, 4)), 2 * 64),
        (lambda: torch.linalg.cholesky(zeros(6, 6)), 72),
        (lambda: attend(zeros(2, 4, 8, 16)), 4 * 2 * 4 * 8 * 8 * 16),
        (lambda: nn.LSTM(8, 16, num_layers=2)(zeros(5, 2, 8)), 2 * 10 * (64 * 24 + 64 * 32)),
        (lambda: nn.MultiheadAttention(16, 2).eval()(*[zeros(4, 3, 16)] * 3), 8 * 3 * 4 * 256 + 4 * 3 * 16 * 16),
    ],
)
@pytest.mark.parametrize("place", [FakeTensorMode, lambda: torch.device("meta")])
def test_an_operator_counts_what_it_multiplies(
    place: Callable[[], FakeTensorMode], compute: Callable[[], object], flops: int
) -> None:
    with torch.no_grad(), place(), OperatorCounter() as counter:
        compute()
    assert counter.flops.total() == flops
    assert not counter.uncounted


def test_an_operator_that_multiplies_and_has_no_formula_is_named() -> None:
    with torch.no_grad(), FakeTensorMode(), OperatorCounter() as counter:
        torch.fft.fft(zeros(4, 4))
        torch.cdist(zeros(2, 4, 8), zeros(2, 5, 8))
        torch.linalg.svd(zeros(4, 4))
    assert counter.uncounted == {"aten._fft_r2c", "aten._cdist_forward", "aten._linalg_svd"}


@pytest.mark.parametrize("name", ["linalg_vector_norm", "upsample_bilinear2d", "native_layer_norm", "add", "softmax"])
def test_norms_and_the_like_count_nothing(name: str) -> None:
    assert is_silent(getattr(torch.ops.aten, name))


def test_a_grouped_product_counts_each_row_once() -> None:
    grouped = getattr(torch, "_grouped_mm", None)
    assert grouped is not None
    with torch.no_grad(), FakeTensorMode(), OperatorCounter() as counter:
        ends = torch.zeros(2, dtype=torch.int32)
        grouped(zeros(32, 16).bfloat16(), zeros(2, 16, 24).bfloat16(), offs=ends)
    assert counter.flops == {"aten._grouped_mm": 2 * 32 * 16 * 24}


def test_grouped_and_batched_experts_count_the_same() -> None:
    """Two tokens' choices of four experts: the same products, one matrix per token or grouped by expert."""
    config = MixtralConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_local_experts=4,
        num_experts_per_tok=2,
        dtype=torch.bfloat16,
    )
    counts = {}
    for implementation in ("batched_mm", "grouped_mm"):
        with torch.device("meta"):
            model = MixtralForCausalLM._from_config(  # type: ignore[no-untyped-call]
                config, attn_implementation="eager", experts_implementation=implementation
            )
        with faked(model.eval()):
            found = trace(model, Feed(MixtralForCausalLM, config), Sizes(batch=2, sequence=8), "prefill")
        counts[implementation] = {
            path: sum(call.flops.total() for call in calls) for path, calls in found.calls.items()
        }
        assert not any(call.uncounted for calls in found.calls.values() for call in calls)
    assert counts["grouped_mm"] == counts["batched_mm"]
    experts = counts["grouped_mm"]["model.layers.0.mlp.experts"]
    assert experts == 2 * (2 * 8 * 2) * (32 * 2 * 48 + 48 * 32)  # choices, by gate and up, and down
