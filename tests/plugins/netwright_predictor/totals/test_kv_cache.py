"""The cache, held against what real models cache and against figures worked out by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    DeepseekV3Config,
    FalconMambaConfig,
    Gemma3TextConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen3NextConfig,
    T5Config,
)

from netwright_predictor import predict
from netwright_predictor.deployment import Deployment
from netwright_predictor.prediction import KvCache
from netwright_predictor.predictor import Predictor
from netwright_predictor.subject import read_subject
from netwright_predictor.tracing.feed import kept_caches
from netwright_zoo import model_class_of

SMALL = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "head_dim": 8}
CONFIGS: dict[str, PretrainedConfig] = {
    "grouped queries": LlamaConfig(**SMALL, num_hidden_layers=3, num_key_value_heads=2),
    "one head for all": LlamaConfig(**SMALL, num_hidden_layers=3, num_key_value_heads=1),
    "a window in every layer": MistralConfig(**SMALL, num_hidden_layers=3, num_key_value_heads=2, sliding_window=16),
    "a window in most layers": Gemma3TextConfig(
        **SMALL, num_hidden_layers=7, num_key_value_heads=2, sliding_window=16, layer_types=None
    ),
    "latents": DeepseekV3Config(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        moe_intermediate_size=16,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        n_routed_experts=8,
        n_group=2,
        topk_group=1,
        num_experts_per_tok=2,
        first_k_dense_replace=1,
        q_lora_rank=12,
        kv_lora_rank=10,
        qk_rope_head_dim=4,
        qk_nope_head_dim=6,
        v_head_dim=5,
    ),
    "states": MambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2, state_size=8),
}


def cached_bytes(config: PretrainedConfig, batch: int, tokens: int) -> int:
    """What a real model holds after a forward, in float32."""
    torch.manual_seed(0)
    model = model_class_of(config)._from_config(config).eval()
    with torch.no_grad():
        output = model(input_ids=torch.ones(batch, tokens, dtype=torch.long), use_cache=True)
    (cache,) = kept_caches(output).values()
    held: list[Any] = []
    for layer in cache.layers:
        held += [getattr(layer, name, None) for name in ("keys", "values")]
        for states in ("conv_states", "recurrent_states"):
            held += list(getattr(layer, states, {}).values())
    return sum(each.numel() * each.element_size() for each in held if isinstance(each, Tensor))


def predicted(config: PretrainedConfig, batch: int, tokens: int, **settings: Any) -> KvCache:
    return predict(config, batch_size=batch, sequence_length=tokens, **settings).kv_cache


def check_cache(config: PretrainedConfig) -> None:
    predictor = Predictor(read_subject(config), Deployment())
    for batch, tokens in ((1, 9), (3, 40)):
        found = predictor.kv_cache(predictor.sizes(batch, tokens))
        assert found.bytes == cached_bytes(config, batch, tokens)


@pytest.mark.parametrize("name", CONFIGS)
def test_bytes_are_those_of_a_real_cache(name: str) -> None:
    check_cache(CONFIGS[name])


def test_llama_3_8b_caches_128_kib_per_token() -> None:
    """2 for keys and values, 32 layers, 8 heads of 128 numbers, 2 bytes each."""
    config = LlamaConfig(
        vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_key_value_heads=8
    )
    found = predicted(config, 4, 8192, dtype="bfloat16")
    assert found.bytes_per_token == 2 * 32 * 8 * 128 * 2 == 131_072
    assert found.bytes == 4 * 8192 * 131_072
    assert found.state_bytes == 0


def test_a_full_window_grows_no_more() -> None:
    """One of 7 layers of Gemma 3 sees everything; the others keep 15 tokens of a window of 16."""
    per_layer = 2 * 2 * 8 * 4  # keys and values, 2 heads of 8 numbers in float32
    found = predicted(CONFIGS["a window in most layers"], 1, 100)
    assert found.bytes == per_layer * (100 + 6 * 15)
    assert found.bytes_per_token == per_layer
    assert found.state_bytes == per_layer * 6 * 15


def test_states_do_not_grow() -> None:
    predictor = Predictor(read_subject(CONFIGS["states"]), Deployment())
    short, long = (predictor.kv_cache(predictor.sizes(2, tokens)) for tokens in (20, 1000))
    assert short == long
    assert short.bytes_per_token == 0
    assert short.state_bytes == short.bytes > 0


def test_latents_are_named_beside_what_is_cached() -> None:
    """Rank 10 and a rotary part of 4, in 3 layers, in float32."""
    assert predicted(CONFIGS["latents"], 1, 10).latent_bytes_per_token == 3 * (10 + 4) * 4
    assert predicted(CONFIGS["grouped queries"], 1, 10).latent_bytes_per_token is None


def test_a_decoder_caches_what_its_encoder_said() -> None:
    """T5: 2 layers, 4 heads of 8 numbers, keys and values in float32, of itself and of the encoder."""
    config = T5Config(vocab_size=64, d_model=32, d_ff=48, num_layers=2, num_heads=4, d_kv=8)
    found = predict(config, batch_size=3, sequence_length=10, encoder_length=50).kv_cache
    per_position = 2 * 2 * 4 * 8 * 4
    assert found.bytes == 3 * (10 + 50) * per_position
    assert found.bytes_per_token == per_position
    assert found.state_bytes == 3 * 50 * per_position


def test_a_quantized_cache_has_a_scale_per_head_and_token() -> None:
    config = CONFIGS["grouped queries"]
    plain = predicted(config, 1, 10, dtype="bfloat16")
    quantized = predicted(config, 1, 10, dtype="bfloat16", quantization={"kv": "fp8"})
    rows = 2 * 3 * 2 * 10  # keys and values, layers, heads, tokens
    assert quantized.bytes == plain.bytes // 2 + rows * 4


def test_training_caches_nothing() -> None:
    assert predict(CONFIGS["grouped queries"], phase="train", sequence_length=8).kv_cache.bytes == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        FalconMambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2, state_size=8),
        Qwen3NextConfig(
            **SMALL,
            num_hidden_layers=4,
            num_key_value_heads=2,
            linear_num_key_heads=2,
            linear_num_value_heads=4,
            linear_key_head_dim=8,
            linear_value_head_dim=8,
            num_experts=4,
            num_experts_per_tok=2,
            moe_intermediate_size=16,
            shared_expert_intermediate_size=16,
        ),
    ],
    ids=lambda config: config.model_type,
)
def test_hybrids_cache_states_and_keys(config: PretrainedConfig) -> None:
    check_cache(config)
