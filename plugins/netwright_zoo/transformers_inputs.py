"""What a transformers model is fed, read from its config."""

import inspect
from typing import Any

from transformers import PretrainedConfig, PreTrainedModel

from netwright.cases.manifest import InputsSpec, Size, TensorSpec
from netwright.config import Config
from netwright.errors import UserError

DEFAULT_TOKENS = 128
DEFAULT_SAMPLES = 16_000
COLOURS = 3


class InputOptions(Config):
    """Keys of `case_options.constants` that size the inputs; all others are fields of the config."""

    batch_size: Size = 1
    """Number of sequences, images or recordings."""
    sequence_length: Size | None = None
    """Tokens per sequence (128 by default, or as many as the model has positions), or samples of sound (16,000)."""
    image_size: Size | None = None
    """Height and width in pixels, where the config does not say it; 224 by default."""


def declare_inputs(model_class: type[PreTrainedModel], config: PretrainedConfig, options: InputOptions) -> InputsSpec:
    """The keyword arguments of one forward call: tokens of the vocabulary, images or sound, as the class takes them.

    Raises:
        UserError: The class takes something else.
    """
    main: str = model_class.main_input_name
    parameters = inspect.signature(model_class.forward).parameters
    tensors = {main: _main_input(main, config, options, model_class.__name__)}
    if "decoder_input_ids" in parameters:
        tensors["decoder_input_ids"] = _tokens(config, options)
    if main == "input_ids" and _is_dual_encoder(config, parameters):
        tensors["pixel_values"] = _pixels(config, options)
    return InputsSpec(kwargs=tensors)


def text_config_of(config: PretrainedConfig) -> PretrainedConfig:
    """The part of a config that governs text, the decoder's where several do; the whole where none is nested."""
    try:
        found: PretrainedConfig = config.get_text_config()
    except ValueError:  # one reads a description, another one writes
        found = config.get_text_config(decoder=True)
    return found


def _main_input(name: str, config: PretrainedConfig, options: InputOptions, class_name: str) -> TensorSpec:
    batch = options.batch_size
    match name:
        case "input_ids":
            return _tokens(config, options)
        case "pixel_values":
            return _pixels(config, options)
        case "input_values" if hasattr(config, "conv_dim"):
            return TensorSpec(shape=(batch, options.sequence_length or DEFAULT_SAMPLES))
        case "input_values" if hasattr(config, "num_mel_bins") and hasattr(config, "max_length"):
            return TensorSpec(shape=(batch, config.max_length, config.num_mel_bins))
        case "input_features" if hasattr(config, "num_mel_bins") and hasattr(config, "max_source_positions"):
            return TensorSpec(shape=(batch, config.num_mel_bins, 2 * config.max_source_positions))
    raise UserError(
        f"netwright cannot draw '{name}' for {class_name}",
        remedy="write a script with the model and get_inputs(), and name it as script:FILE:CLASS",
    )


def _tokens(config: PretrainedConfig, options: InputOptions) -> TensorSpec:
    text = text_config_of(config)
    length = options.sequence_length or min(DEFAULT_TOKENS, getattr(text, "max_position_embeddings", DEFAULT_TOKENS))
    return TensorSpec(shape=(options.batch_size, length), dtype="int64", range=(0, text.vocab_size))


def _pixels(config: PretrainedConfig, options: InputOptions) -> TensorSpec:
    vision: Any = getattr(config, "vision_config", config)
    size = getattr(vision, "image_size", None) or options.image_size or 224
    height, width = size if isinstance(size, list | tuple) else (size, size)
    channels = getattr(vision, "num_channels", COLOURS)
    return TensorSpec(shape=(options.batch_size, channels, height, width))


def _is_dual_encoder(config: PretrainedConfig, parameters: Any) -> bool:
    """Whether the model compares texts with whole images, as CLIP does, so that it takes both."""
    return hasattr(config, "vision_config") and hasattr(config, "text_config") and "return_loss" in parameters
