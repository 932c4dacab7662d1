"""Text as a model takes it: tokens, and what some want to know about each of them."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from netwright_predictor.tracing.scene import TOKENS, Scene, deep, first

CORNERS = 4
"""Numbers of a box around a word."""


def tokens(scene: Scene) -> Tensor:
    """One token like the others, (batch, tokens), or (batch, tokens, streams) where a model reads several at once."""
    length = scene.read if scene.main in ("input_ids", "inputs_embeds") else TOKENS
    if books := first(first(scene.config, "decoder"), "num_codebooks"):  # one row per sequence and codebook
        return torch.zeros(scene.batch * books, length, dtype=torch.long)
    if first(scene.config, "codebook_vocab_size") and (streams := first(scene.config, "num_codebooks")):
        return torch.zeros(scene.batch, length, 1 + streams, dtype=torch.long)
    return torch.zeros(scene.batch, length, dtype=torch.long)


def decoder_tokens(scene: Scene) -> Tensor:
    """What a decoder has said so far; of several streams, one per codebook, where a model speaks so."""
    channels = first(getattr(scene.config, "decoder_config", scene.config), "num_channels")
    shape = (scene.batch, scene.sizes.sequence)
    return torch.zeros(*shape, *([channels] if channels and scene.main == "input_ids" else []), dtype=torch.long)


def embedded(scene: Scene) -> Tensor:
    """Vectors in place of tokens."""
    width = deep(scene.config, "hidden_size", "d_model")
    return torch.zeros(scene.batch, scene.read, width)


def boxes(scene: Scene) -> Tensor:
    """A box per token: corners as whole numbers, or scaled ones where the config says how many."""
    numbers = first(scene.config, "dim_bbox")
    if numbers is None:
        return torch.zeros(scene.batch, scene.read, CORNERS, dtype=torch.long)
    return torch.zeros(scene.batch, scene.read, numbers)


def classes(scene: Scene) -> Tensor:
    """One text per image: the classes to look for."""
    return torch.zeros(scene.batch, TOKENS, dtype=torch.long)


def shown(scene: Scene) -> Tensor:
    """Nothing of a text is hidden."""
    return torch.ones(scene.batch, TOKENS, dtype=torch.long)


def kinds(scene: Scene) -> Tensor:
    """No token of a text stands for a part of an image."""
    return torch.zeros(scene.batch, scene.read, dtype=torch.long)


def one_each(scene: Scene) -> Tensor:
    """One class per image."""
    return torch.ones(scene.batch, dtype=torch.long)


def language(scene: Scene) -> Tensor:
    """Every text is in the first language that a model has an adapter for."""
    return torch.zeros(scene.batch, dtype=torch.long)


TEXT: Mapping[str, Callable[[Scene], Tensor]] = {
    "input_ids": tokens,
    "qformer_input_ids": tokens,
    "decoder_input_ids": decoder_tokens,
    "inputs_embeds": embedded,
    "bbox": boxes,
    "mm_token_type_ids": kinds,
    "moe_mm_token_type_ids": kinds,
    "image_embeds_position_mask": kinds,
    "classes_input_ids": classes,
    "tasks_input_ids": classes,
    "classes_attention_mask": shown,
    "tasks_attention_mask": shown,
    "classes_structure": one_each,
    "lang_ids": language,
}
"""How each input of text is drawn, by its name."""
