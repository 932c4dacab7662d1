"""Attention whose scores a GPU never holds."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import DeepseekV3Config, LlamaConfig

from netwright_predictor import predict
from netwright_predictor.tracing.fused import FusedAttention
from netwright_predictor.tracing.sizes import Phase

SMALL = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
MLA = {"q_lora_rank": 12, "kv_lora_rank": 16, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8, "v_head_dim": 8}
EXPERTS = {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "num_key_value_heads": 4}


def test_outputs_and_gradients_have_the_shapes_of_the_real_ones() -> None:
    query, key = (torch.randn(2, 4, 6, 8, requires_grad=True) for _ in range(2))
    value = torch.randn(2, 4, 6, 5, requires_grad=True)
    real = scaled_dot_product_attention(query, key, value)
    with FusedAttention():
        fused = scaled_dot_product_attention(query, key, value)
    assert fused.shape == real.shape
    gradients = torch.autograd.grad(fused.sum(), (query, key, value))
    assert [each.shape for each in gradients] == [query.shape, key.shape, value.shape]


def test_what_the_processor_fuses_itself_is_left_alone() -> None:
    tensor = torch.randn(1, 2, 3, 8)
    with FusedAttention():
        fused = scaled_dot_product_attention(tensor, tensor, tensor)
    assert torch.equal(fused, scaled_dot_product_attention(tensor, tensor, tensor))


@pytest.mark.parametrize("phase", ["prefill", "train"])
def test_latent_attention_holds_no_scores(phase: Phase) -> None:
    """A pair of query and key costs nothing: at twice the length, memory grows by less than twice."""
    config = DeepseekV3Config(**SMALL, **MLA, **EXPERTS)
    short, long = (predict(config, phase=phase, sequence_length=length) for length in (2048, 4096))
    assert long.memory.activations_bytes < 2.2 * short.memory.activations_bytes
    eager = predict(config, phase=phase, sequence_length=4096, kernel="eager")
    assert eager.memory.activations_bytes - long.memory.activations_bytes > 4 * 4096 * 4096


def test_dropout_of_probabilities_holds_no_scores() -> None:
    config = LlamaConfig(**SMALL, attention_dropout=0.1)
    short, long = (predict(config, phase="train", sequence_length=length) for length in (2048, 4096))
    assert long.memory.activations_bytes < 2.2 * short.memory.activations_bytes
