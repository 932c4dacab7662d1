"""The feed: fake inputs of any size for a transformers model, in each phase."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from netwright.errors import UserError
from netwright_predictor.tracing.draw_sound import has_sound_of_any_length
from netwright_predictor.tracing.inputs import draw_inputs, has_free_length, main_input
from netwright_predictor.tracing.placeholders import (
    needs_image,
    placeholder,
    takes_images_in_text,
    tokens_per_image,
    with_placeholders,
)
from netwright_predictor.tracing.scene import SAMPLES
from netwright_predictor.tracing.sizes import Phase, Sizes

CACHES = ("cache", "past_key_values", "cache_params", "state", "past_buckets_states")
"""What models call the object that remembers earlier tokens, as an output and as an argument; since transformers 5.24
`cache`, where outputs answer to older names, too."""

SEEN = ((2, 7, 17, 5), (3, 11, 23, 9), (5, 13, 31, 15))
"""Batch, new tokens, context and encoder positions of the traces."""
WINDOWS = ((1, 3), (3, 2), (5, 1))
"""Batch, and how many windows the traces read of a model that fills up the last one."""


@dataclass
class Encoded(BaseModelOutput):
    """What an encoder returned; nothing of it is masked."""

    attention_mask: Tensor | None = None


def kept_caches(output: Mapping[str, Any]) -> dict[str, Any]:
    """What of an output, or of arguments, remembers earlier tokens, by the name that its model gives it."""
    return {name: kept for name, kept in output.items() if name in CACHES and kept is not None}


def filled_window(config: PretrainedConfig) -> int:
    """What a model's input is filled up to a multiple of before it reads it, as Longformer and PEGASUS-X do; else 1."""
    window = getattr(config, "attention_window", None)
    if window is None and hasattr(config, "stagger_local_blocks"):
        window = getattr(config, "block_size", None)
    return max(window) if isinstance(window, list | tuple) else window or 1


def called_piece(config: PretrainedConfig) -> int:
    """Positions that a model hands its modules in one call, where it reads piece by piece, as CANINE does; else 0."""
    return int(getattr(config, "local_transformer_stride", None) or 0)


class Feed:
    """Makes the arguments of a forward.

    Args:
        model_class: The model's class.
        config: Its configuration.
        image: Whether an image goes before each text, where the model takes images in texts; it does where the model
            reads no text without.

    Raises:
        UserError: The model has no forward.
    """

    def __init__(self, model_class: type[PreTrainedModel], config: PretrainedConfig, *, image: bool = False) -> None:
        self._model_class = model_class
        self._config = config
        self._parameters = inspect.signature(model_class.forward).parameters
        self._image = takes_images_in_text(model_class, config) and (image or needs_image(model_class))
        self._main = "input_ids" if self._image else main_input(model_class)
        self._image_tokens: int | None = None
        self.window = filled_window(config)
        self._piece = called_piece(config)

    @property
    def image_tokens(self) -> int:
        """Tokens that an image takes before each text, known once the feed has made inputs; 0 where there is none."""
        return self._image_tokens or 0

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether an encoder reads one input and a decoder another."""
        return "decoder_input_ids" in self._parameters and "encoder_outputs" in self._parameters

    @property
    def is_decoder(self) -> bool:
        """Whether the model remembers earlier tokens, so that there is a phase "decode"."""
        return any(name in self._parameters for name in CACHES)

    @property
    def varying(self) -> tuple[str, ...]:
        """The sizes in which traces may differ: "B", and where the model's inputs have no fixed shape "S", "C", "E".

        Images have the size that the configuration says. Sound is as long as `Sizes` say, but what a stack of
        convolutions makes of it follows no polynomial, so that it does not vary either.
        """
        free = has_free_length(self._main)
        names = ["B"]
        if free or self.is_encoder_decoder:
            names.append("S")
        if self.is_decoder:
            names.append("C")
        if free and self.is_encoder_decoder:
            names.append("E")
        return tuple(names)

    def settle(self, sizes: Sizes) -> Sizes:
        """The sizes with those filled in that are left open, and those set that the model fixes.

        An encoder reads as many tokens as its decoder is given, or a second of sound. Where images and the like have
        one size, a sequence is one of them, and an encoder of one size has no positions to name. Where a model fills up
        its last window, what it reads is a whole number of them.
        """
        if not self.is_encoder_decoder:
            free = "S" in self.varying or self._takes_sound
            length = self._filled(sizes.sequence) if free else 1
            return sizes.model_copy(update={"encoder": 0, "sequence": length})
        if "E" in self.varying:
            return sizes.model_copy(update={"encoder": self._filled(sizes.encoder or sizes.sequence)})
        return sizes.model_copy(update={"encoder": (sizes.encoder or SAMPLES) if self._takes_sound else 0})

    def trace_sizes(self, phase: Phase, *, sequence: int | None = None, encoder: int | None = None) -> list[Sizes]:
        """Three sizes that tell of all others: small, and no two in the same proportion.

        Args:
            sequence: As many tokens, samples or frames as are asked for; it matters where the model takes sound, whose
                length does not vary, and in decoding, where one token goes another way than several.
            encoder: As many as its encoder reads.
        """
        varying = self.varying
        found = []
        for (batch, small, context, positions), (fewer, windows) in zip(SEEN, WINDOWS, strict=True):
            read = windows * self.window if self.window > 1 else None
            several = small + (windows - 1) * self._piece  # so that the number of calls is seen to grow
            written = small if "E" in varying else read or several
            one = phase == "decode" and sequence in (None, 1)
            sizes = Sizes(
                batch=fewer if read else batch,
                sequence=1 if one else written if "S" in varying else sequence or SAMPLES,
                context=context if phase == "decode" else 0,
                encoder=(read or positions) if "E" in varying else encoder or 0,
            )
            found.append(self.settle(sizes))
        return found

    @property
    def windows(self) -> tuple[str, int] | None:
        """The size that comes in whole windows only, and how much one is; None where no size does."""
        return ("encoder" if "E" in self.varying else "sequence", self.window) if self.window > 1 else None

    def _filled(self, length: int) -> int:
        return -(-length // self.window) * self.window

    @property
    def _takes_sound(self) -> bool:
        return has_sound_of_any_length(self._main, self._config)

    def agrees(self, seen: Sequence[Sizes], sizes: Sizes) -> bool:
        """Whether what traces of the sizes `seen` tell is true of `sizes`: what they have in common, it has, too.

        A context of any length, or none, goes through the same code.
        """
        for name in ("sequence", "encoder"):
            values = {getattr(each, name) for each in seen}
            if len(values) == 1 and getattr(sizes, name) not in values:
                return False
        return True

    def names(self, sizes: Sizes) -> list[str]:
        """What a forward is given; call it in a fake mode, or where numbers cost nothing."""
        with torch.device("meta"):
            return list(self._drawn(sizes, image=self._image))

    def inputs(self, model: nn.Module, sizes: Sizes, phase: Phase) -> dict[str, Any]:
        """The arguments of a forward; call it in the model's fake mode.

        Args:
            model: Fills the cache of a decode phase, by a forward over the context.

        Raises:
            UserError: The model has no such phase, or takes what cannot be drawn.
        """
        switches = {"use_cache": phase == "decode"} if "use_cache" in self._parameters else {}
        if phase != "decode":
            return {**self._tensors(model, sizes), **switches}
        if not self.is_decoder:
            raise UserError(
                f"{self._model_class.__name__} has no phase 'decode'",
                why="it keeps no cache of earlier tokens",
                remedy="set agent.phase=prefill or agent.phase=train",
            )
        if not sizes.context:
            return {**self._tensors(model, sizes), **switches}
        before = self._tensors(model, sizes.model_copy(update={"sequence": sizes.context, "context": 0}))
        with torch.no_grad():
            output = model(**before, **switches)
        caches = {name: kept for name, kept in kept_caches(output).items() if name in self._parameters}
        tensors: dict[str, Any] = dict(self._drawn(sizes))
        if not self.is_encoder_decoder:
            return {**tensors, **caches, **switches}
        encoded = Encoded(last_hidden_state=output.encoder_last_hidden_state)
        decoded = {name: value for name, value in tensors.items() if name.startswith("decoder_")}
        return {**decoded, "encoder_outputs": encoded, **caches, **switches}

    def _tensors(self, model: nn.Module, sizes: Sizes) -> dict[str, Tensor]:
        drawn = self._drawn(sizes, image=self._image)
        if not self._image:
            return drawn
        if self._image_tokens is None:
            self._image_tokens = tokens_per_image(model, self._config, drawn)
        return with_placeholders(drawn, self._image_tokens, placeholder(self._config))

    def _drawn(self, sizes: Sizes, *, image: bool = False) -> dict[str, Tensor]:
        return draw_inputs(self._model_class, self._config, self.settle(sizes), image=image)
