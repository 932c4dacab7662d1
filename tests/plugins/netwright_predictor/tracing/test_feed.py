"""The feed: what each family of models is given, in each phase."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from transformers import (
    ASTConfig,
    ASTForAudioClassification,
    BertConfig,
    BertForMaskedLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    LongformerConfig,
    LongformerModel,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTForImageClassification,
    Wav2Vec2Config,
    Wav2Vec2ForCTC,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from netwright.errors import UserError
from netwright_predictor.tracing.fake import faked
from netwright_predictor.tracing.feed import Feed, kept_caches
from netwright_predictor.tracing.sizes import Sizes

SMALL: Mapping[str, Any] = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 48}
LLAMA = LlamaConfig(**SMALL, num_attention_heads=4)
T5 = T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4)
WHISPER = WhisperConfig(
    vocab_size=64,
    d_model=32,
    encoder_layers=1,
    decoder_layers=1,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    num_mel_bins=8,
    max_source_positions=30,
    pad_token_id=0,
)


def built(model_class: type[PreTrainedModel], config: Any) -> PreTrainedModel:
    with torch.device("meta"):
        model = model_class._from_config(config, attn_implementation="eager")  # type: ignore[no-untyped-call]
    assert isinstance(model, PreTrainedModel)
    model.train(False)
    return model


@pytest.mark.parametrize(
    ("model_class", "config", "varying"),
    [
        (LlamaForCausalLM, LLAMA, "BSC"),
        (BertForMaskedLM, BertConfig(), "BS"),
        (T5ForConditionalGeneration, T5, "BSCE"),
        (WhisperForConditionalGeneration, WHISPER, "BSC"),
        (ViTForImageClassification, ViTConfig(), "B"),
        (Wav2Vec2ForCTC, Wav2Vec2Config(), "B"),
    ],
)
def test_what_may_vary_follows_from_the_inputs(model_class: type[PreTrainedModel], config: Any, varying: str) -> None:
    assert "".join(Feed(model_class, config).varying) == varying


@pytest.mark.parametrize(
    ("model_class", "config", "sizes", "shapes"),
    [
        (LlamaForCausalLM, LLAMA, Sizes(batch=2, sequence=7), {"input_ids": (2, 7)}),
        (
            T5ForConditionalGeneration,
            T5,
            Sizes(batch=2, sequence=7, encoder=5),
            {"input_ids": (2, 5), "decoder_input_ids": (2, 7)},
        ),
        (
            WhisperForConditionalGeneration,
            WHISPER,
            Sizes(batch=2, sequence=7),
            {"input_features": (2, 8, 60), "decoder_input_ids": (2, 7)},
        ),
        (ViTForImageClassification, ViTConfig(image_size=32), Sizes(batch=2), {"pixel_values": (2, 3, 32, 32)}),
        (Wav2Vec2ForCTC, Wav2Vec2Config(), Sizes(batch=2, sequence=900), {"input_values": (2, 900)}),
        (ASTForAudioClassification, ASTConfig(), Sizes(batch=2), {"input_values": (2, 1024, 128)}),
    ],
)
def test_a_prompt_has_the_shapes_of_its_family(
    model_class: type[PreTrainedModel], config: Any, sizes: Sizes, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    feed = Feed(model_class, config)
    with torch.device("meta"):
        drawn = feed.inputs(torch.nn.Identity(), sizes, "prefill")
    assert {name: tuple(value.shape) for name, value in drawn.items() if isinstance(value, torch.Tensor)} == shapes
    assert not drawn.get("use_cache", False)


def test_decoding_brings_a_filled_cache_and_only_the_new_tokens() -> None:
    model = built(LlamaForCausalLM, LLAMA)
    with faked(model):
        drawn = Feed(LlamaForCausalLM, LLAMA).inputs(model, Sizes(batch=2, sequence=1, context=9), "decode")
    assert tuple(drawn["input_ids"].shape) == (2, 1)
    (cache,) = kept_caches(drawn).values()
    assert [layer.keys.shape[-2] for layer in cache.layers] == [9, 9]


def test_decoding_behind_an_encoder_brings_what_it_read() -> None:
    model = built(T5ForConditionalGeneration, T5)
    with faked(model):
        sizes = Sizes(batch=2, sequence=1, context=9, encoder=5)
        drawn = Feed(T5ForConditionalGeneration, T5).inputs(model, sizes, "decode")
    assert "input_ids" not in drawn
    assert tuple(drawn["encoder_outputs"].last_hidden_state.shape) == (2, 5, 32)
    (cache,) = kept_caches(drawn).values()
    assert cache.get_seq_length() == 9


def test_an_encoder_has_no_decoding() -> None:
    with pytest.raises(UserError, match="no phase 'decode'"):
        Feed(BertForMaskedLM, BertConfig()).inputs(torch.nn.Identity(), Sizes(context=3), "decode")


def test_traces_decode_one_token_unless_several_are_asked_for() -> None:
    feed = Feed(GraniteForCausalLM, GraniteConfig())
    assert {each.sequence for each in feed.trace_sizes("decode")} == {1}
    assert len({each.sequence for each in feed.trace_sizes("decode", sequence=4)}) == 3
    assert {each.context for each in feed.trace_sizes("prefill")} == {0}


def test_traces_of_sound_have_the_length_that_is_asked_for() -> None:
    feed = Feed(Wav2Vec2ForCTC, Wav2Vec2Config())
    seen = feed.trace_sizes("prefill", sequence=900)
    assert {each.sequence for each in seen} == {900}
    assert feed.agrees(seen, Sizes(batch=7, sequence=900))
    assert not feed.agrees(seen, Sizes(batch=7, sequence=901))


def test_an_encoder_without_a_length_reads_as_much_as_its_decoder() -> None:
    assert Feed(T5ForConditionalGeneration, T5).settle(Sizes(sequence=12)).encoder == 12
    assert Feed(WhisperForConditionalGeneration, WHISPER).settle(Sizes(sequence=12, encoder=3)).encoder == 0


def test_what_fills_up_its_last_window_is_traced_and_asked_in_whole_windows() -> None:
    config = LongformerConfig(attention_window=16, max_position_embeddings=130)
    feed = Feed(LongformerModel, config)
    assert feed.settle(Sizes(sequence=33)).sequence == 48
    seen = feed.trace_sizes("prefill")
    assert [each.sequence % 16 for each in seen] == [0, 0, 0]
    assert len({each.sequence / each.batch for each in seen}) == 3
    assert feed.windows == ("sequence", 16)
    assert Feed(LlamaForCausalLM, LLAMA).windows is None
