"""Inputs of models that read more than text: drawn by the names of what their forward takes."""

from typing import Any

import pytest
import torch
from transformers import (
    CONFIG_MAPPING,
    BrosConfig,
    BrosModel,
    ClapConfig,
    ClapModel,
    LxmertConfig,
    LxmertModel,
    Qwen2_5_VLConfig,
    VideoMAEConfig,
    VideoMAEModel,
)
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel

from netwright.errors import NetwrightError, UserError
from netwright_predictor import predict
from netwright_predictor.tracing.inputs import draw_inputs, main_input
from netwright_predictor.tracing.scene import GRID, Scene, deep
from netwright_predictor.tracing.sizes import Sizes
from netwright_zoo import read_transformers_config
from netwright_zoo.from_transformers import model_class_of

SIZES = Sizes(batch=2, sequence=7)


def shapes(model_class: Any, config: Any) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(each.shape) for name, each in draw_inputs(model_class, config, SIZES).items()}


def test_a_box_goes_with_every_token() -> None:
    assert shapes(BrosModel, BrosConfig()) == {"input_ids": (2, 7), "bbox": (2, 7, 8)}


def test_regions_go_with_a_text_about_them() -> None:
    drawn = shapes(LxmertModel, LxmertConfig())
    assert drawn["visual_feats"] == (2, 36, 2048)
    assert drawn["visual_pos"] == (2, 36, 4)


def test_a_video_has_frames() -> None:
    assert shapes(VideoMAEModel, VideoMAEConfig()) == {"pixel_values": (2, 16, 3, 224, 224)}


def test_a_tower_of_loose_patches_is_told_where_they_lie() -> None:
    vision = Qwen2_5_VLConfig().vision_config
    drawn = shapes(Qwen2_5_VisionTransformerPretrainedModel, vision)
    assert drawn["hidden_states"] == (2 * GRID * GRID, 3 * 2 * 14 * 14)
    assert drawn["grid_thw"] == (2, 3)


def test_clap_takes_a_spectrogram_that_folds_into_a_square() -> None:
    config = ClapConfig()
    drawn = shapes(ClapModel, config)
    assert drawn["input_ids"] == (2, 7)
    assert drawn["input_features"] == (2, 1, 1024, 64)
    assert drawn["is_longer"] == (2, 1)
    config.audio_config.enable_fusion = True
    assert shapes(ClapModel, config)["input_features"] == (2, 4, 1024, 64)


@pytest.mark.parametrize(
    ("model_type", "shape"),
    [
        ("encodec", (2, 1, 7)),
        ("mimi", (2, 1, 7)),
        ("omniasr_audio", (2, 1, 7)),
        ("omniasr_ctc", (2, 1, 7)),
        ("granite_speech5_encoder", (2, 7, 4 * 80)),
        ("granite_speech5_ctc", (2, 7, 4 * 80)),
        ("gemma4_audio", (2, 7, 128)),
        ("parakeet_ctc", (2, 7, 80)),
        ("wav2vec2", (2, 7)),
    ],
)
def test_sound_has_the_shape_that_the_model_takes(model_type: str, shape: tuple[int, ...]) -> None:
    if model_type not in CONFIG_MAPPING:
        pytest.skip(f"this transformers has no {model_type}")
    config, _ = read_transformers_config(model_type)
    assert next(iter(shapes(model_class_of(config), config).values())) == shape


@pytest.mark.parametrize(
    ("model_type", "small"),
    [
        ("encodec", {"num_filters": 4, "hidden_size": 16, "codebook_size": 16}),
        (
            "mimi",
            {"num_filters": 4, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 8, "head_dim": 4}
            | {"upsample_groups": 32},
        ),
    ],
)
@pytest.mark.slow
def test_codecs_that_ask_their_buffers_for_strides_are_exact(model_type: str, small: dict[str, object]) -> None:
    found = predict(model_type, constants=small, batch_size=2, sequence_length=4000, check=True).check
    assert (found.status, found.uncounted_ops) == ("exact", [])


def test_some_towers_take_patches_with_rows_and_columns() -> None:
    if "kimi_k25_vision" not in CONFIG_MAPPING:
        pytest.skip("this transformers has no kimi_k25_vision")
    config, _ = read_transformers_config("kimi_k25_vision")
    assert shapes(model_class_of(config), config)["pixel_values"] == (2 * GRID * GRID, 3, 14, 14)


def test_a_backbone_of_timm_says_how_large_images_are() -> None:
    pytest.importorskip("timm")
    config, _ = read_transformers_config("pe_video")
    drawn = shapes(model_class_of(config), config)
    assert drawn["pixel_values_videos"][-2:] == (336, 336)


def test_what_a_class_calls_its_main_input_counts_only_where_its_forward_takes_it() -> None:
    assert Qwen2_5_VisionTransformerPretrainedModel.main_input_name != "hidden_states"
    assert main_input(Qwen2_5_VisionTransformerPretrainedModel) == "hidden_states"


def test_a_model_without_a_forward_is_named() -> None:
    config, _ = read_transformers_config("bark")
    with pytest.raises(UserError, match="BarkModel has no forward"):
        main_input(model_class_of(config))


def test_a_session_cannot_be_drawn() -> None:
    with pytest.raises(UserError, match="inference_session"):
        predict("sam2_video")


def test_settings_are_found_in_parts_of_a_config() -> None:
    config, _ = read_transformers_config("sam2")
    assert not hasattr(config.vision_config, "image_size")
    assert deep(config.vision_config, "image_size") == [1024, 1024]
    assert Scene(config, SIZES, "pixel_values", False, {}).vision is config.vision_config


def test_numbers_that_only_weights_tell_are_named_with_the_line_that_asks() -> None:
    small = {"num_hidden_layers": 2, "hidden_size": 32, "ffn_dim": 64}
    with pytest.raises(NetwrightError, match=r"only its weights tell.*modeling_vits\.py line"):
        predict("vits", constants=small)
