"""Parameters of published models, from their configurations written out by hand."""

import pytest
import torch
from transformers import (
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    T5Config,
    T5Model,
)
from transformers.models.gpt2.modeling_gpt2 import GPT2LMHeadModel

from netwright_predictor.prediction import Parameters
from netwright_predictor.structure.skeleton import build_skeleton
from netwright_predictor.totals.experts import find_experts
from netwright_predictor.totals.parameters import count_parameters


def count(model_class: type[PreTrainedModel], config: PretrainedConfig) -> Parameters:
    model = build_skeleton(model_class, config)
    return count_parameters(model, find_experts(model))


def llama_total(hidden: int, inner: int, layers: int, kv_width: int, vocabulary: int) -> int:
    """Queries and outputs are square, keys and values narrower; three matrices in the MLP; two norms; all untied."""
    layer = 2 * hidden * hidden + 2 * hidden * kv_width + 3 * hidden * inner + 2 * hidden
    return 2 * vocabulary * hidden + layers * layer + hidden


def test_llama_3_8b() -> None:
    config = LlamaConfig(
        vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_key_value_heads=8
    )
    found = count(LlamaForCausalLM, config)
    assert found.total == llama_total(4096, 14336, 32, 1024, 128256) == 8_030_261_248
    assert found.active == found.trainable == found.total
    assert found.embedding == 128256 * 4096


@pytest.mark.slow
def test_llama_3_1_405b() -> None:
    config = LlamaConfig(
        vocab_size=128256,
        hidden_size=16384,
        intermediate_size=53248,
        num_hidden_layers=126,
        num_attention_heads=128,
        num_key_value_heads=8,
    )
    assert count(LlamaForCausalLM, config).total == llama_total(16384, 53248, 126, 1024, 128256) == 405_853_388_800


@pytest.mark.slow
def test_deepseek_v3_has_671_billion_parameters_of_which_a_token_meets_37() -> None:
    """From the config.json of DeepSeek-V3, without its layer for multi-token prediction."""
    hidden, heads, layers, dense = 7168, 128, 61, 3
    queries = hidden * 1536 + 1536 + 1536 * heads * (128 + 64)  # down to rank 1536, a norm, up to nope and rope parts
    keys_and_values = hidden * (512 + 64) + 512 + 512 * heads * (128 + 128)
    attention = queries + keys_and_values + heads * 128 * hidden
    expert = 3 * hidden * 2048
    sparse = 256 * expert + expert + 256 * hidden  # routed, shared, router
    norms = 2 * hidden
    total = 2 * 129280 * hidden + hidden
    total += layers * (attention + norms) + dense * 3 * hidden * 18432 + (layers - dense) * sparse
    found = count(DeepseekV3ForCausalLM, DeepseekV3Config())
    assert found.total == total == 671_026_404_352
    assert found.active == total - (layers - dense) * (256 - 8) * expert == 37_552_282_624


def test_tied_weights_count_once_and_as_embeddings() -> None:
    config = GemmaConfig(vocab_size=1000, hidden_size=64, intermediate_size=96, num_hidden_layers=2, head_dim=16)
    tied, untied = count(GemmaForCausalLM, config), None
    config.tie_word_embeddings = False
    untied = count(GemmaForCausalLM, config)
    assert untied.total - tied.total == 64_000
    assert untied.embedding == tied.embedding == 64_000


def test_positions_are_embeddings_too() -> None:
    config = GPT2Config(vocab_size=100, n_positions=50, n_embd=24, n_layer=2, n_head=2)
    assert count(GPT2LMHeadModel, config).embedding == (100 + 50) * 24


def test_experts_that_a_token_is_not_routed_to_are_inactive() -> None:
    config = MixtralConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_local_experts=8
    )
    found = count(MixtralForCausalLM, config)
    assert found.total - found.active == 3 * 6 * (3 * 32 * 48)  # 2 of 8 experts are used in each of 3 layers


@pytest.mark.parametrize(
    ("model_class", "config"),
    [
        (T5Model, T5Config(vocab_size=64, d_model=32, d_ff=48, num_layers=2, num_heads=4, d_kv=8)),
        (LlamaForCausalLM, LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2)),
    ],
)
def test_totals_are_those_of_the_built_model(model_class: type[PreTrainedModel], config: PretrainedConfig) -> None:
    with torch.device("meta"):
        built = model_class._from_config(config)
    assert count(model_class, config).total == built.num_parameters()


def test_dtypes_are_told_apart() -> None:
    config = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=1, dtype=torch.bfloat16)
    found = count(LlamaForCausalLM, config)
    assert found.by_dtype == {"bfloat16": found.total}
