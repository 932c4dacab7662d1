"""Images in texts: as many placeholders as the model makes vectors of an image, and a forward through its tower."""

from typing import Any

import pytest
import torch
from transformers import (
    Blip2Config,
    Blip2Model,
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    Gemma4Config,
    Gemma4Model,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaModel,
    LlavaNextConfig,
    LlavaNextModel,
    OPTConfig,
    Qwen2VLConfig,
    Qwen2VLModel,
)

from netwright_predictor import Prediction, predict
from netwright_predictor.tracing.placeholders import (
    beside_image,
    name_placeholder,
    needs_image,
    placeholder,
    takes_images_in_text,
    with_placeholders,
)

LLAMA = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 48, "num_attention_heads": 4}
TOWER = {"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 24, "num_attention_heads": 2}
LLAVA = LlavaConfig(
    text_config=LlamaConfig(**LLAMA),
    vision_config=CLIPVisionConfig(**TOWER, image_size=32, patch_size=8),
    image_token_index=63,
    architectures=["LlavaForConditionalGeneration"],
)


def predicted(config: Any, **settings: Any) -> Prediction:
    return predict(config, batch_size=2, sequence_length=21, check=True, **settings)


@pytest.mark.parametrize(
    ("model_class", "config", "takes"),
    [
        (LlavaModel, LLAVA, True),
        (LlavaForConditionalGeneration, LLAVA, True),
        (Blip2Model, Blip2Config(), True),
        (CLIPModel, CLIPConfig(), False),
        (LlamaForCausalLM, LlamaConfig(), False),
    ],
)
def test_models_that_compare_or_only_read_take_no_images_in_texts(model_class: Any, config: Any, takes: bool) -> None:
    assert takes_images_in_text(model_class, config) is takes


def test_a_model_without_its_tower_takes_none() -> None:
    config = Gemma4Config(vision_config=None)
    assert config.vision_config is None
    assert not takes_images_in_text(Gemma4Model, config)


def test_what_goes_with_an_image_is_what_the_model_asks_for() -> None:
    assert beside_image(LlavaModel) == ()
    assert beside_image(LlavaNextModel) == ("image_sizes",)
    assert beside_image(Qwen2VLModel) == ("image_grid_thw", "mm_token_type_ids")


def test_a_text_without_an_image_is_enough_for_some() -> None:
    assert needs_image(Blip2Model)
    assert not needs_image(LlavaModel)


def test_placeholders_go_before_the_text() -> None:
    drawn = {"input_ids": torch.zeros(2, 3, dtype=torch.long), "pixel_values": torch.zeros(2, 3, 8, 8)}
    found = with_placeholders(drawn, 2, 63)
    assert found["input_ids"].tolist() == [[63, 63, 0, 0, 0]] * 2
    assert found["pixel_values"] is drawn["pixel_values"]


def test_a_config_that_names_no_placeholder_gets_the_last_token() -> None:
    config = Blip2Config(text_config=OPTConfig(vocab_size=64))
    name_placeholder(config)
    assert config.image_token_id == placeholder(config) == 63
    assert placeholder(LLAVA) == 63


def test_an_image_goes_through_the_tower_and_its_tokens_through_the_text_model() -> None:
    """32 by 32 pixels in patches of 8 are 16 tokens, so that 2 sequences of 21 are 2 of 37."""
    alone, seen = predicted(LLAVA), predicted(LLAVA, image=True)
    assert alone.check.status == seen.check.status == "exact"
    assert seen.check.derived_share == 0
    longer = predict(LLAVA, batch_size=2, sequence_length=37).flops.forward
    assert seen.flops.forward > longer > alone.flops.forward
    assert any("16 tokens" in note for note in seen.notes)


def test_one_more_token_after_an_image_meets_its_keys() -> None:
    found = predict(LLAVA, phase="decode", batch_size=2, context_length=29, image=True, check=True)
    assert found.check.status == "exact"
    assert found.flops.forward == predict(LLAVA, phase="decode", batch_size=2, context_length=29 + 16).flops.forward


@pytest.mark.slow
def test_places_of_patches_are_told_beside_the_text() -> None:
    """12 by 12 patches, of which 2 by 2 are one token: 36, at places of their own."""
    config = Qwen2VLConfig(
        text_config={
            **LLAMA,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2]},
        },
        vision_config={"embed_dim": 16, "hidden_size": 32, "depth": 2, "num_heads": 2, "patch_size": 4},
        image_token_id=63,
    )
    found = predicted(config, image=True)
    assert found.check.status == "exact"
    assert any("36 tokens" in note for note in found.notes)


def test_tiles_of_an_image_are_packed_with_their_ends_of_lines() -> None:
    config = LlavaNextConfig(
        text_config=LlamaConfig(**LLAMA),
        vision_config=CLIPVisionConfig(**TOWER, image_size=32, patch_size=8),
        image_token_index=63,
        image_grid_pinpoints=[[32, 64]],
    )
    assert predicted(config, image=True).check.status == "exact"


def test_a_model_that_reads_no_text_without_an_image_is_given_one() -> None:
    text = OPTConfig(
        vocab_size=64, hidden_size=32, word_embed_proj_dim=32, num_hidden_layers=2, ffn_dim=48, num_attention_heads=4
    )
    config = Blip2Config(
        text_config=text,
        vision_config={**TOWER, "image_size": 28, "patch_size": 14},
        qformer_config={**TOWER, "encoder_hidden_size": 16, "vocab_size": 64},
        num_query_tokens=5,
    )
    found = predicted(config)
    assert found.check.status == "exact"
    assert any("5 tokens" in note for note in found.notes)
