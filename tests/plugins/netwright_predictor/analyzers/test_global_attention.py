"""PEGASUS-X's attention: closed forms against integers derived by hand, and a whole model."""

from netwright_predictor import predict
from netwright_predictor.analyzers.global_attention import GlobalLocalAttentionAnalyzer


def test_few_see_all_and_blocks_see_themselves_and_the_few() -> None:
    """2 sequences of 8 positions in blocks of 4, 3 global tokens, 2 heads of 6: 3 * 11 and 8 * 7 pairs."""
    found = GlobalLocalAttentionAnalyzer().compute_flops(
        batch=2, length=8, global_length=3, block_size=4, num_heads=2, head_dim=6, dtype_bytes=4
    )
    assert found == 2 * 2 * (3 * 11 + 8 * 7) * 4 * 6


def test_a_whole_model_needs_no_derived_formula() -> None:
    small = {
        "d_model": 32,
        "vocab_size": 64,
        "encoder_layers": 2,
        "decoder_layers": 1,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "block_size": 8,
        "num_global_tokens": 4,
    }
    found = predict("pegasus_x", constants=small, batch_size=2, sequence_length=24, check=True).check
    assert found.status == "exact"
    assert found.derived_share == 0
