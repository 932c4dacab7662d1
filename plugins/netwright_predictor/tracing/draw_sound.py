"""Sound as a model takes it: samples, features per frame, spectrograms of one length, or codes."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from transformers.models.auto import modeling_auto

from netwright_predictor.tracing.scene import SAMPLES, Scene, deep, first

FEATURES = (
    "feature_projection_input_dim", "input_feat_per_channel", "num_mel_bins", "input_feat_size", "input_dim",
    "feature_size",
)  # fmt: skip
"""What configurations call the numbers that tell of one frame."""
STACKED: Mapping[str, int] = {"granite_speech5_encoder": 4}
"""Types whose features are so many times the bins: each frame comes with its change, and two frames are one."""
AS_WIDE = frozenset({"pop2piano"})
"""Types whose features are as wide as their hidden states."""
MONO = frozenset({"omniasr_audio"})
"""Types that convolve sound as it comes, (batch, 1, samples), though their configuration names no channels."""
MAIN = ("input_values", "input_features", "inputs", "audio_mel", "latents")
"""Main inputs that are as long as a recording."""
BINS = 80
"""Such numbers where the configuration says none."""


def has_sound_of_any_length(main: str, config: Any) -> bool:
    """Whether a model with this main input takes recordings, or their features, of any length."""
    return main in MAIN and not has_fixed_spectrogram(main, config)


def has_fixed_spectrogram(main: str, config: Any) -> bool:
    """As the audio spectrogram transformer, Whisper and CLAP have it: shorter recordings are padded."""
    part = config if main == "input_values" else sound_part(config)
    if hasattr(part, "spec_size"):
        return True
    length = "max_length" if main == "input_values" else "max_source_positions"
    return hasattr(part, "num_mel_bins") and hasattr(part, length) and not hasattr(part, "input_feat_per_channel")


def sound_part(config: Any) -> Any:
    """The part of a config that governs sound; the whole where there is none."""
    return first(config, "audio_config", "encoder_config") or config


def samples(scene: Scene) -> Tensor:
    """(batch, samples), with channels between where a codec takes them; or a spectrogram of the model's length.

    SpeechT5 without what goes before its encoder and decoder takes hidden states, (batch, positions, width).
    """
    config = getattr(scene.config, "encoder", scene.config)
    if has_fixed_spectrogram("input_values", config):
        return torch.zeros(scene.batch, config.max_length, config.num_mel_bins)
    if _reads_states(scene):
        return torch.zeros(scene.batch, scene.read, config.hidden_size)
    whole = first(config, "samples_per_token") or 1  # extractors fill up the last token's
    length = -(-(scene.read if scene.main in MAIN else SAMPLES) // whole) * whole
    channels = first(config, "audio_channels") or (1 if _is_codec(config) or _is_mono(config) else None)
    return torch.zeros((scene.batch, channels, length) if channels else (scene.batch, length))


def _is_codec(config: Any) -> bool:
    """Whether a config, or what it listens with, turns sound into codes: those take channels, one by default."""
    return (
        type(config) in getattr(modeling_auto, "MODEL_FOR_AUDIO_TOKENIZATION_MAPPING", ())
        or deep(config, "dac_config") is not None
    )


def _is_mono(config: Any) -> bool:
    return sound_part(config).model_type in MONO


def _reads_states(scene: Scene) -> bool:
    return scene.config.model_type == "speecht5" and {"input_values", "decoder_input_values"} <= scene.parameters.keys()


def features(scene: Scene) -> Tensor:
    """(batch, frames, features), or a spectrogram of the model's length, (batch, features, frames).

    CLAP takes it as an image, (batch, views, frames, bins): as many frames as fold into a square.
    """
    part = sound_part(scene.config)
    if square := first(part, "spec_size"):
        views = 4 if part.enable_fusion else 1
        return torch.zeros(scene.batch, views, square * (square // part.num_mel_bins), part.num_mel_bins)
    if has_fixed_spectrogram("input_features", scene.config):
        return torch.zeros(scene.batch, part.num_mel_bins, 2 * part.max_source_positions)
    return torch.zeros(scene.batch, scene.read, _numbers_per_frame(part))


def _numbers_per_frame(part: Any) -> int:
    channels = first(part, "subsampling_conv_channels")
    if isinstance(channels, list | tuple):  # Gemma 4: after two halvings, a quarter of that many bins are left
        return int(channels[0])
    if part.model_type in AS_WIDE:
        return int(part.d_model)
    return int(first(part, *FEATURES) or deep(part, *FEATURES) or BINS) * STACKED.get(part.model_type, 1)


def is_longer(scene: Scene) -> Tensor:
    """No recording is longer than a model's spectrogram."""
    return torch.zeros(scene.batch, 1, dtype=torch.bool)


def shown_frames(scene: Scene) -> Tensor:
    """No frame is padding."""
    part = sound_part(scene.config)
    fixed = has_fixed_spectrogram("input_features", scene.config)
    return torch.ones(scene.batch, 2 * part.max_source_positions if fixed else scene.read, dtype=torch.long)


def no_padding(scene: Scene) -> Tensor:
    """The same, said the other way round."""
    return torch.zeros(scene.batch, scene.read, dtype=torch.bool)


def latents(scene: Scene) -> Tensor:
    """What a codec's decoder makes sound of, (batch, width, frames)."""
    return torch.zeros(scene.batch, scene.config.hidden_size, scene.read)


def vectors(scene: Scene) -> Tensor:
    """What a model of any kind of input reads after its preprocessor, as the Perceiver does."""
    return torch.zeros(scene.batch, scene.read, scene.config.d_model)


SOUND: Mapping[str, Callable[[Scene], Tensor]] = {
    "input_values": samples,
    "decoder_input_values": samples,
    "input_features": features,
    "input_features_mask": shown_frames,
    "is_longer": is_longer,
    "audio_mel": features,
    "audio_mel_mask": no_padding,
    "latents": latents,
    "inputs": vectors,
}
"""How each input of sound is drawn, by its name."""
