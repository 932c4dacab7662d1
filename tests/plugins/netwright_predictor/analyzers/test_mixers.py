"""State-space layers, linear attention and recurrences: closed forms against integers derived by hand."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netwright_predictor.analyzers.analyzer import Site
from netwright_predictor.analyzers.linear_attention import (
    DeltaRuleAnalyzer,
    LightningAttentionAnalyzer,
    MatrixMemoryAnalyzer,
)
from netwright_predictor.analyzers.mixer import chunks
from netwright_predictor.analyzers.recurrent import LinearRecurrenceAnalyzer, RecurrentAnalyzer
from netwright_predictor.analyzers.state_space import Mamba2Analyzer, MambaAnalyzer
from netwright_predictor.polynomial import Polynomial
from netwright_predictor.tracing.flow import Flow

NO_CONVOLUTION = {"convolved": 0, "conv_channels": 0, "conv_kernel": 0, "dtype_bytes": 2}


def test_the_last_chunk_is_padded() -> None:
    assert [chunks(length, 64) for length in (1, 64, 65, 128, 129)] == [1, 1, 2, 2, 3]


def test_mamba_by_hand() -> None:
    """Two sequences of 7 tokens, 1536 channels: convolution with 7 + 3 windows of 4, 2 * 2 * 10 * 1536 * 4 = 245 760;
    time step from 48 numbers 2 * 14 * 48 * 1536 = 2 064 384; states of 16 numbers with C 2 * 14 * 1536 * 16 = 688 128.
    """
    found = MambaAnalyzer().compute_flops(
        batch=2,
        length=7,
        convolved=10,
        conv_channels=1536,
        conv_kernel=4,
        is_recurrent=0,
        intermediate_size=1536,
        state_size=16,
        time_step_rank=48,
        projected=0,
        dtype_bytes=2,
    )
    assert found == 245_760 + 2_064_384 + 688_128


@pytest.mark.parametrize(("length", "number"), [(1, 1), (7, 1), (256, 1), (257, 2), (1000, 4)])
def test_mamba_2_by_hand(length: int, number: int) -> None:
    """Bamba's: 128 heads of 64 numbers, states of 256, chunks of 256. Per chunk and head, scores 256 * 256 * 256, with
    inputs 256 * 256 * 64, states made and met 2 * 256 * 256 * 64; between n + 1 states (n + 1)² * 256 * 64.
    """
    per_chunk = 256 * 256 * 256 + 256 * 256 * 64 + 2 * 256 * 256 * 64
    wanted = 2 * 3 * 128 * (number * per_chunk + (number + 1) ** 2 * 256 * 64)
    sizes = {"num_heads": 128, "head_dim": 64, "state_size": 256, "chunk_size": 256}
    found = Mamba2Analyzer().compute_flops(batch=3, length=length, is_recurrent=0, **sizes, **NO_CONVOLUTION)
    assert found == wanted


def test_mamba_2_token_by_token() -> None:
    """One token: each state of 64 * 256 numbers meets C."""
    sizes = {"num_heads": 128, "head_dim": 64, "state_size": 256, "chunk_size": 256}
    found = Mamba2Analyzer().compute_flops(batch=3, length=1, is_recurrent=1, **sizes, **NO_CONVOLUTION)
    assert found == 2 * 3 * 128 * 64 * 256


def test_a_gated_delta_rule_by_hand() -> None:
    """Two chunks of 64, keys 128, values 128: two score products 2 * 2 * 64² * 128 = 2 097 152; triangular systems of
    256 columns 64² * 256 = 1 048 576; with the state three times 2 * 64 * 128² = 6 291 456; within 2 * 64² * 128.
    """
    sizes = {"num_heads": 32, "key_dim": 128, "value_dim": 128, "chunk_size": 64}
    found = DeltaRuleAnalyzer().compute_flops(
        batch=2, length=100, is_recurrent=0, has_score_products=1, is_solved=1, **sizes, **NO_CONVOLUTION
    )
    assert found == 2 * 32 * 2 * (2_097_152 + 1_048_576 + 6_291_456 + 1_048_576)


def test_kimis_delta_rule_by_hand() -> None:
    """Decays per channel make scores sums; the inverse meets keys and values: 2 * 64² * 256, then as above."""
    sizes = {"num_heads": 32, "key_dim": 128, "value_dim": 128, "chunk_size": 64}
    found = DeltaRuleAnalyzer().compute_flops(
        batch=2, length=7, is_recurrent=0, has_score_products=0, is_solved=0, **sizes, **NO_CONVOLUTION
    )
    assert found == 2 * 32 * (2_097_152 + 6_291_456 + 1_048_576) == 603_979_776


def test_lightning_attention_pads_nothing() -> None:
    """37 tokens in blocks of 16: scores and values of 16² + 16² + 5² pairs, and each token with 8 * 8 numbers twice."""
    sizes = {"num_attention_heads": 4, "head_dim": 8, "block_size": 16}
    found = LightningAttentionAnalyzer().compute_flops(batch=2, length=37, is_recurrent=0, **sizes, **NO_CONVOLUTION)
    assert found == 2 * 4 * (4 * 8 * (256 + 256 + 25) + 4 * 37 * 64)


def test_a_matrix_memory_goes_on_token_by_token() -> None:
    """37 tokens in chunks of 16, keys 4, values 8: two chunks 2 * (16² * 12 + 2 * 16 * 32 + 16 * 4), five tokens
    2 * (2 * 32 + 4).
    """
    sizes = {"num_heads": 3, "key_dim": 4, "value_dim": 8, "chunk_size": 16, "is_padded": 0}
    found = MatrixMemoryAnalyzer().compute_flops(batch=2, length=37, is_recurrent=0, **sizes, **NO_CONVOLUTION)
    assert found == 2 * 3 * (2 * 2 * (256 * 12 + 2 * 16 * 32 + 64) + 5 * 2 * (64 + 4))


def test_griffins_gates_by_hand() -> None:
    """Two gates of 10 blocks of 256 * 256 weights for 6 tokens."""
    found = LinearRecurrenceAnalyzer().compute_flops(tokens=6, gates=2, num_heads=10, block_width=256, dtype_bytes=2)
    assert found == 2 * 6 * 2 * 10 * 256 * 256


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("kind", "options"), [(nn.LSTM, {}), (nn.LSTM, {"proj_size": 3}), (nn.GRU, {}), (nn.RNN, {})])
def test_recurrent_layers_are_what_torch_counts(
    kind: Callable[..., nn.Module], options: dict[str, int], bidirectional: bool
) -> None:
    module = kind(8, 16, num_layers=3, bidirectional=bidirectional, batch_first=True, device="meta", **options)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.empty(2, 5, 8, device="meta"))
    dims = tuple(Polynomial.constant(size) for size in (2, 5, 8))
    site = Site("", module, Flow({"input": dims}, (), ()), {})
    parameters = next(iter(RecurrentAnalyzer().dimensions(site)))
    found = RecurrentAnalyzer().compute_flops(**{name: each({}) for name, each in parameters.items()})
    assert found == counter.get_total_flops()


def test_an_lstm_by_hand() -> None:
    """10 tokens, 4 gates of 16 rows, with 8 inputs and 16 hidden numbers: 2 * 10 * 64 * 24."""
    sizes = {"input_size": 8, "hidden_size": 16, "output_size": 16, "num_layers": 1, "directions": 1}
    assert RecurrentAnalyzer().compute_flops(tokens=10, gates=4, has_bias=1, dtype_bytes=4, **sizes) == 30_720
