"""Placeholders: the tokens of a text in whose place a model puts what it sees in an image."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from transformers import PretrainedConfig, PreTrainedModel

from netwright_predictor.tracing.scene import first
from netwright_zoo import text_config_of

TOKENS = ("image_token_id", "image_token_index", "video_token_id", "video_token_index")
"""What configurations call the token that stands for a part of what is seen."""
KINDS = ("mm_token_type_ids", "moe_mm_token_type_ids", "image_embeds_position_mask")
"""Inputs that say of each token whether it stands for a part of an image."""
BESIDE = ("image_grid_thw", "image_position_ids", *KINDS)
"""Optional inputs that an image needs nevertheless."""


def takes_images_in_text(model_class: type[PreTrainedModel], config: PretrainedConfig) -> bool:
    """Whether a model reads images as parts of a text, one placeholder for each vector that it makes of them.

    A configuration of such a class may leave its tower out.
    """
    parameters = inspect.signature(model_class.forward).parameters
    knows = hasattr(model_class, "get_placeholder_mask") or hasattr(model_class, "get_image_features")
    compares = "return_loss" in parameters
    sees = getattr(config, "vision_config", config) is not None
    return sees and knows and not compares and {"input_ids", "pixel_values"} <= parameters.keys()


def needs_image(model_class: type[PreTrainedModel]) -> bool:
    """Whether such a model reads no text without an image."""
    pixels = inspect.signature(model_class.forward).parameters["pixel_values"]
    return pixels.default is pixels.empty or model_class.main_input_name == pixels.name


def beside_image(model_class: type[PreTrainedModel]) -> tuple[str, ...]:
    """The inputs that go with the pixels of an image, by name."""
    parameters = inspect.signature(model_class.forward).parameters
    features = getattr(model_class, "get_image_features", None)
    asked = inspect.signature(features).parameters.values() if features is not None else ()
    required = [each.name for each in asked if each.kind is each.POSITIONAL_OR_KEYWORD and each.default is each.empty]
    wanted = dict.fromkeys((*required, *BESIDE))
    return tuple(name for name in wanted if name in parameters and name not in ("self", "pixel_values"))


def placeholder(config: PretrainedConfig) -> int:
    """The token that stands for a part of an image; the last of the vocabulary where the config names none."""
    found: int | None = first(config, *TOKENS)
    return found if found is not None else int(text_config_of(config).vocab_size) - 1


def name_placeholder(config: PretrainedConfig) -> None:
    """Write the placeholder into a config that leaves it open: the model looks for it."""
    open_place = next((name for name in TOKENS if hasattr(config, name)), None)
    if open_place is not None and first(config, *TOKENS) is None:
        setattr(config, open_place, placeholder(config))


def tokens_per_image(model: nn.Module, config: PretrainedConfig, drawn: Mapping[str, Tensor]) -> int:
    """How many placeholders an image takes: as many as the model makes vectors of it.

    Args:
        model: As `faked` made it, inside its block.
        drawn: All inputs of a forward, one image per sequence.
    """
    pixels, batch = drawn["pixel_values"], drawn["input_ids"].shape[0]
    if (queries := first(config, "num_query_tokens", "latent_query_num")) is not None:
        return int(queries) * (pixels.shape[1] if pixels.dim() == 5 else 1)
    inner = getattr(model, "model", None)
    reader: Any = inner if hasattr(inner, "get_image_features") else model
    accepted = inspect.signature(reader.get_image_features).parameters
    with torch.no_grad():
        output = reader.get_image_features(**{name: each for name, each in drawn.items() if name in accepted})
    vectors = [each for each in tree_leaves(getattr(output, "pooler_output", output)) if isinstance(each, Tensor)]
    return sum(each.numel() // each.shape[-1] for each in vectors) // batch


def with_placeholders(drawn: Mapping[str, Tensor], number: int, token: int) -> dict[str, Tensor]:
    """The inputs with an image before each text.

    Args:
        drawn: All inputs of a forward.
        number: Placeholders of an image.
        token: The placeholder.
    """
    found = dict(drawn)
    for name, value in {"input_ids": token, **dict.fromkeys(KINDS, 1)}.items():
        if name in found:
            before = torch.full((found[name].shape[0], number), value, dtype=found[name].dtype)
            found[name] = torch.cat([before, found[name]], dim=1)
    return found
