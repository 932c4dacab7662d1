"""Architectures beyond plain text decoders: formulas of a small trace are exact at other sizes, module by module."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, PreTrainedModel
from transformers.models.auto import modeling_auto

from netwright_predictor.analysis import ModuleCost, analyze
from netwright_predictor.check import check_prediction
from netwright_predictor.tracing.fake import faked
from netwright_predictor.tracing.feed import Feed
from netwright_predictor.tracing.flow import read_flows
from netwright_predictor.tracing.further import FurtherTraces
from netwright_predictor.tracing.sizes import Phase, Sizes
from netwright_predictor.tracing.trace import trace

TEXT = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 48}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
ENCODER = {"num_attention_heads": 4, "max_position_embeddings": 128}
SPEECH = {
    "vocab_size": 32,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [16, 16, 16],
    "conv_kernel": [10, 3, 2],
    "conv_stride": [5, 2, 2],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
MAMBA2 = {"state_size": 8, "head_dim": 8, "n_groups": 2, "chunk_size": 16}
MIXTURE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}

CAUSAL: Mapping[str, Mapping[str, Any]] = {
    "mamba": {**TEXT, "state_size": 8, "time_step_rank": 4},
    "falcon_mamba": {**TEXT, "state_size": 8, "time_step_rank": 4},
    "mamba2": {**TEXT, **MAMBA2, "num_heads": 8, "expand": 2},
    "jamba": {**TEXT, "num_attention_heads": 4, "num_key_value_heads": 2, "num_experts": 4, "mamba_dt_rank": 4}
    | {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1},
    "bamba": {**TEXT, **ENCODER, "num_key_value_heads": 2, "attn_layer_indices": [1], "mamba_n_heads": 8}
    | {"mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1, "mamba_chunk_size": 16},
    "recurrent_gemma": {**TEXT, "num_hidden_layers": 3, "num_attention_heads": 4, "lru_width": 32, "head_dim": 8},
    "rwkv": {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "context_length": 64},
    "xlstm": {
        "vocab_size": 64,
        "hidden_size": 64,
        "num_heads": 2,
        "num_blocks": 2,
        "chunk_size": 16,
        "qk_dim_factor": 1.0,
    },
    "qwen3_next": {**TEXT, **HEADS, **MIXTURE, "num_hidden_layers": 4, "shared_expert_intermediate_size": 16}
    | {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 12},
    "olmo_hybrid": {
        **TEXT,
        "pad_token_id": 0,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "num_hidden_layers": 4,
    }
    | {"linear_num_key_heads": 4, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 16},
    "minimax": {**TEXT, **HEADS, "num_local_experts": 4, "block_size": 16},
    "lfm2": {**TEXT, "num_attention_heads": 4, "num_key_value_heads": 2, "layer_types": ["conv", "full_attention"]},
}
"""Decoders with state: small configurations by model type."""

OTHERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "t5": (
        "SEQ_TO_SEQ_CAUSAL_LM",
        {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4},
    ),
    "longt5": (
        "SEQ_TO_SEQ_CAUSAL_LM",
        {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "local_radius": 15},
    ),
    "bart": (
        "SEQ_TO_SEQ_CAUSAL_LM",
        {"vocab_size": 64, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4}
        | {"decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 128},
    ),
    "whisper": (
        "SPEECH_SEQ_2_SEQ",
        {"vocab_size": 64, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4}
        | {"decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_source_positions": 30}
        | {"num_mel_bins": 8, "max_target_positions": 64, "pad_token_id": 0},
    ),
    "bert": ("MASKED_LM", {**TEXT, **ENCODER}),
    "deberta-v2": (
        "MASKED_LM",
        {**TEXT, **ENCODER, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
    ),
    "wav2vec2": ("CTC", SPEECH),
    "wavlm": ("CTC", {**SPEECH, "num_buckets": 16, "max_bucket_distance": 40}),
    "vit": ("IMAGE_CLASSIFICATION", {**TEXT, "num_attention_heads": 4, "image_size": 32, "patch_size": 8}),
    "clip": (
        "ZERO_SHOT_IMAGE_CLASSIFICATION",
        {"text_config": {**TEXT, **ENCODER}, "projection_dim": 16}
        | {"vision_config": {**TEXT, "num_attention_heads": 4, "image_size": 32, "patch_size": 8}},
    ),
    "swin": (
        "IMAGE_CLASSIFICATION",
        {"image_size": 32, "embed_dim": 16, "depths": [2, 1], "num_heads": [2, 4], "window_size": 4},
    ),
    "convnext": ("IMAGE_CLASSIFICATION", {"image_size": 32, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}),
    "resnet": (
        "IMAGE_CLASSIFICATION",
        {"embedding_size": 8, "hidden_sizes": [16, 24], "depths": [1, 1], "layer_type": "basic", "image_size": 32},
    ),
    "segformer": (
        "IMAGE_CLASSIFICATION",
        {
            "image_size": 64,
            "hidden_sizes": [8, 16, 24, 32],
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 2, 3, 4],
        },
    ),
    "siglip": (
        "IMAGE_CLASSIFICATION",
        {"vision_config": {**TEXT, "num_attention_heads": 4, "image_size": 32, "patch_size": 8}, "text_config": TEXT},
    ),
}
"""By model type: the task of its auto class, and a small configuration."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_CACHE", str(tmp_path))


def quick_first(types: Iterable[str], *quick: str) -> list[Any]:
    """All types, those that are not named among the slow tests."""
    return [each if each in quick else pytest.param(each, marks=pytest.mark.slow) for each in types]


def small_model(model_type: str, task: str, settings: Mapping[str, Any]) -> tuple[PreTrainedModel, Feed]:
    config = CONFIG_MAPPING[model_type](**settings)
    model_class = getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING")[type(config)]
    with torch.device("meta"):
        model = model_class._from_config(config, attn_implementation="eager", experts_implementation="batched_mm")
    return model.eval(), Feed(model_class, config)


def assert_exact(model: PreTrainedModel, feed: Feed, phase: Phase, seen: list[Sizes], asked: Sizes) -> list[ModuleCost]:
    with faked(model):
        flows = read_flows([trace(model, feed, sizes, phase) for sizes in seen])
        further = FurtherTraces(flows, phase, lambda sizes: trace(model, feed, sizes, phase))
        costs = analyze(model, flows, dtype_bytes=4, traces=further)
        check = check_prediction(model, feed, costs, asked, phase)
    assert (check.status, check.modules_off, check.reason) == ("exact", {}, None)
    assert check.measured_flops
    assert check.derived_share == 0.0, [
        (cost.path, call.refuted) for cost in costs for call in cost.calls if call.known in ("derived", "measured")
    ]
    return costs


@pytest.mark.parametrize("model_type", quick_first(CAUSAL, "mamba", "mamba2", "olmo_hybrid", "minimax", "lfm2"))
def test_a_prompt_over_several_chunks_is_exact_though_traces_saw_only_one(model_type: str) -> None:
    model, feed = small_model(model_type, "CAUSAL_LM", CAUSAL[model_type])
    assert_exact(model, feed, "prefill", feed.trace_sizes("prefill"), Sizes(batch=2, sequence=37))


@pytest.mark.parametrize("model_type", quick_first(CAUSAL, "mamba2", "minimax", "lfm2"))
def test_one_more_token_is_exact(model_type: str) -> None:
    model, feed = small_model(model_type, "CAUSAL_LM", CAUSAL[model_type])
    assert_exact(model, feed, "decode", feed.trace_sizes("decode"), Sizes(batch=2, sequence=1, context=29))


@pytest.mark.parametrize(
    "model_type", quick_first(OTHERS, "t5", "longt5", "deberta-v2", "wavlm", "clip", "swin", "resnet")
)
def test_encoders_vision_and_speech_are_exact(model_type: str) -> None:
    model, feed = small_model(model_type, *OTHERS[model_type])
    asked = feed.settle(Sizes(batch=4, sequence=1600 if "S" not in feed.varying else 21, encoder=19))
    seen = feed.trace_sizes("prefill", sequence=asked.sequence)
    assert_exact(model, feed, "prefill", seen, asked)


@pytest.mark.parametrize("model_type", ["t5", "bart", "whisper"])
def test_decoders_that_look_at_an_encoder_are_exact_for_one_more_token(model_type: str) -> None:
    model, feed = small_model(model_type, *OTHERS[model_type])
    asked = feed.settle(Sizes(batch=2, sequence=1, context=9, encoder=12))
    assert_exact(model, feed, "decode", feed.trace_sizes("decode"), asked)
