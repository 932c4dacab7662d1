"""The tensors that a transformers model takes, by the names of its forward's parameters."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

from netwright.errors import UserError
from netwright_predictor.tracing.sizes import Sizes

FREE_LENGTH = frozenset({"input_ids", "inputs_embeds"})
"""Main inputs whose length is the user's: any number of tokens."""
SAMPLES = 16_000
"""Samples of a recording where no number is asked for: one second."""
GRID = 8
"""Rows and columns of the patches that a vision tower without a fixed image size is given."""
FRAMES = 16
"""Images of a video where the configuration says no number."""
FEATURES = ("feature_projection_input_dim", "input_feat_per_channel", "num_mel_bins", "input_dim", "feature_size")


def has_free_length(main: str) -> bool:
    """Whether a model with this main input takes sequences of any length."""
    return main in FREE_LENGTH


def has_sound_of_any_length(main: str, config: PretrainedConfig) -> bool:
    """Whether a model with this main input takes recordings, or their features, of any length."""
    return main in ("input_values", "input_features", "inputs") and not _has_fixed_spectrogram(main, config)


def draw_inputs(model_class: type[PreTrainedModel], config: PretrainedConfig, sizes: Sizes) -> dict[str, Tensor]:
    """The main input of a model, what its forward requires, and what its task needs; their numbers do not matter.

    Raises:
        UserError: It requires something that is not known here.
    """
    parameters = inspect.signature(model_class.forward).parameters
    reads_twice = "decoder_input_ids" in parameters and "encoder_outputs" in parameters
    drawer = _Drawer(config, sizes, str(model_class.main_input_name), reads_twice, parameters)
    return {name: drawer.draw(name, model_class.__name__) for name in dict.fromkeys(drawer.wanted())}


@dataclass(frozen=True)
class _Drawer:
    """Draws inputs by name.

    Attributes:
        main: The model's main input.
        reads_twice: Whether an encoder reads the main input and a decoder tokens of its own.
        parameters: Of the forward, by name.
    """

    config: PretrainedConfig
    sizes: Sizes
    main: str
    reads_twice: bool
    parameters: Any

    def wanted(self) -> Iterator[str]:
        """Names of the inputs that the model needs, perhaps more than once."""
        if self.main == "inputs" and "input_values" in self.parameters:  # a speech encoder of the user's choice
            yield "input_values"
        else:
            yield self.main
        for name, parameter in self.parameters.items():
            variadic = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            if parameter.default is parameter.empty and not variadic and name != "self":
                yield name
        if self.reads_twice:
            yield "decoder_input_ids"
        if "spatial_shapes" in self.parameters:
            yield from ("pixel_attention_mask", "spatial_shapes")
        if self._is_dual_encoder:
            yield "pixel_values"

    def draw(self, name: str, model: str) -> Tensor:
        """One input.

        Raises:
            UserError: It is not known here.
        """
        draw = getattr(self, f"_draw_{name}", None)
        if draw is None:
            raise UserError(
                f"netwright cannot draw '{name}' for {model}", why="its forward takes more than text, images or sound"
            )
        tensor: Tensor = draw()
        return tensor

    def _draw_input_ids(self) -> Tensor:
        length = self.sizes.encoder if self.reads_twice and self.sizes.encoder else self.sizes.sequence
        return torch.zeros(self.sizes.batch, length, dtype=torch.long)

    _draw_qformer_input_ids = _draw_input_ids

    def _draw_decoder_input_ids(self) -> Tensor:
        channels = _first(getattr(self.config, "decoder_config", self.config), "num_channels")
        if channels and self.main == "input_ids":  # several streams of tokens, one per codebook
            return torch.zeros(self.sizes.batch, self.sizes.sequence, channels, dtype=torch.long)
        return torch.zeros(self.sizes.batch, self.sizes.sequence, dtype=torch.long)

    def _draw_pixel_values(self) -> Tensor:
        if "spatial_shapes" in self.parameters:
            return self._draw_hidden_states().view(self.sizes.batch, GRID * GRID, -1)
        return torch.zeros(self.sizes.batch, _channels(self._vision), *_image_size(self._vision))

    def _draw_pixel_attention_mask(self) -> Tensor:
        return torch.ones(self.sizes.batch, GRID * GRID, dtype=torch.long)

    def _draw_spatial_shapes(self) -> Tensor:
        return torch.tensor([[GRID, GRID]] * self.sizes.batch)

    def _draw_pixel_values_videos(self) -> Tensor:
        frames = _first(self._vision, "num_frames", "frames_per_clip") or FRAMES
        return torch.zeros(self.sizes.batch, frames, _channels(self._vision), *_image_size(self._vision))

    def _draw_input_values(self) -> Tensor:
        config = getattr(self.config, "encoder", self.config)
        if _has_fixed_spectrogram("input_values", config):
            return torch.zeros(self.sizes.batch, config.max_length, config.num_mel_bins)
        channels = _first(config, "audio_channels")
        samples = self.sizes.encoder if self.reads_twice else self.sizes.sequence
        return torch.zeros((self.sizes.batch, channels, samples) if channels else (self.sizes.batch, samples))

    def _draw_input_features(self) -> Tensor:
        encoder = _sound_part(self.config)
        if _has_fixed_spectrogram("input_features", self.config):
            return torch.zeros(self.sizes.batch, encoder.num_mel_bins, 2 * encoder.max_source_positions)
        frames = self.sizes.encoder if self.reads_twice else self.sizes.sequence
        return torch.zeros(self.sizes.batch, frames, _first(encoder, *FEATURES) or 80)

    def _draw_hidden_states(self) -> Tensor:
        """The patches of all images, one behind the other, as Qwen2-VL's tower takes them."""
        patch = int(_first(self._vision, "patch_size") or 14)
        width = _channels(self._vision) * int(_first(self._vision, "temporal_patch_size") or 1) * patch * patch
        return torch.zeros(self.sizes.batch * GRID * GRID, width)

    def _draw_grid_thw(self) -> Tensor:
        return torch.tensor([[1, GRID, GRID]] * self.sizes.batch)

    _draw_image_grid_thw = _draw_grid_thw

    @property
    def _vision(self) -> Any:
        return _first(self.config, "vision_config", "backbone_config") or self.config

    @property
    def _is_dual_encoder(self) -> bool:
        """Whether the model compares texts with whole images, as CLIP does, so that it takes both."""
        takes_both = "return_loss" in self.parameters and "pixel_values" in self.parameters
        return takes_both and hasattr(self.config, "vision_config") and hasattr(self.config, "text_config")


def _has_fixed_spectrogram(main: str, config: PretrainedConfig) -> bool:
    """As the audio spectrogram transformer and Whisper have it: shorter recordings are padded."""
    part = config if main == "input_values" else _sound_part(config)
    length = "max_length" if main == "input_values" else "max_source_positions"
    return hasattr(part, "num_mel_bins") and hasattr(part, length) and not hasattr(part, "input_feat_per_channel")


def _sound_part(config: PretrainedConfig) -> Any:
    return _first(config, "audio_config", "encoder_config") or config


def _channels(vision: Any) -> int:
    found = _first(vision, "num_channels", "in_channels", "in_chans", "image_channels")
    return found if isinstance(found, int) else 3


def _image_size(vision: Any) -> tuple[int, int]:
    size = _first(vision, "image_size", "img_size", "crop_size") or 224
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return int(height), int(width)


def _first(config: Any, *names: str) -> Any:
    return next((value for name in names if (value := getattr(config, name, None)) is not None), None)
