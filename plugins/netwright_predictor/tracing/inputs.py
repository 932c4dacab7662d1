"""The tensors that a transformers model takes, by the names of its forward's parameters."""

import inspect
from collections.abc import Callable, Iterator, Mapping

from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from netwright.errors import UserError
from netwright_predictor.tracing.draw_images import IMAGES
from netwright_predictor.tracing.draw_series import SERIES
from netwright_predictor.tracing.draw_sound import SOUND
from netwright_predictor.tracing.draw_text import TEXT
from netwright_predictor.tracing.placeholders import beside_image
from netwright_predictor.tracing.scene import Scene
from netwright_predictor.tracing.sizes import Sizes

FREE_LENGTH = frozenset({"input_ids", "inputs_embeds"})
"""Main inputs whose length is the user's: any number of tokens."""
DRAW: Mapping[str, Callable[[Scene], Tensor]] = {**TEXT, **IMAGES, **SOUND, **SERIES}
COMPANIONS: Mapping[str, tuple[str, ...]] = {
    "spatial_shapes": ("pixel_attention_mask", "spatial_shapes"),
    "target_sizes": ("target_sizes",),
    "grid_thw": ("grid_thw",),
    "bbox": ("bbox",),
    "visual_feats": ("visual_feats", "visual_pos"),
    "input_features_mask": ("input_features_mask",),
    "is_longer": ("is_longer",),
    "decoder_input_values": ("decoder_input_values",),
    "lang_ids": ("lang_ids",),
    "image_encoder_embeddings": ("pixel_values", "image_attention_mask"),
    "padding_mask_videos": ("pixel_values_videos",),
    "timesteps": ("actions", "rewards", "returns_to_go", "timesteps"),
    "query_embeds": ("query_embeds", "encoder_hidden_states"),
}
"""What goes along where a forward has the parameter, though it is optional there."""
WITH_TEXT = frozenset({"input_features_mask", "target_sizes", "padding_mask_videos"})
"""Companions that belong to sound or images, so that a model that reads text does without."""
COMPARED = ("pixel_values", "pixel_values_videos", "input_values", "input_features")
"""What a model may compare texts with."""
OBJECTS = frozenset({"inference_session"})
"""Parameters that are no tensors: what has happened so far."""


def has_free_length(main: str) -> bool:
    """Whether a model with this main input takes sequences of any length."""
    return main in FREE_LENGTH


def main_input(model_class: type[PreTrainedModel]) -> str:
    """The name of what a model mainly reads: what its class says, where its forward takes that, else what it does take.

    Raises:
        UserError: It has no forward.
    """
    if model_class.forward is nn.Module.forward:
        raise UserError(
            f"{model_class.__name__} has no forward", why="it only generates, with several models one after another"
        )
    parameters = inspect.signature(model_class.forward).parameters
    said = model_class.main_input_name
    names = [said] if isinstance(said, str) else list(said)
    if "inputs" in names and "input_values" in parameters:  # a speech encoder of the user's choice
        return "input_values"
    for name in (*names, *parameters):
        if name in parameters and (name in DRAW or name in OBJECTS):
            return name
    return names[0]


def draw_inputs(
    model_class: type[PreTrainedModel], config: PretrainedConfig, sizes: Sizes, *, image: bool = False
) -> dict[str, Tensor]:
    """The main input of a model, what its forward requires, and what its task needs; their numbers do not matter.

    Args:
        image: Whether there is an image for each text, of a model that takes images in texts.

    Raises:
        UserError: It requires something that is not known here.
    """
    parameters = inspect.signature(model_class.forward).parameters
    reads_twice = "decoder_input_ids" in parameters and "encoder_outputs" in parameters
    main = "input_ids" if image else main_input(model_class)
    scene = Scene(config, sizes, main, reads_twice, parameters, beside_image(model_class) if image else None)
    return {name: _draw(name, scene, model_class.__name__) for name in dict.fromkeys(_wanted(scene))}


def _wanted(scene: Scene) -> Iterator[str]:
    """Names of the inputs that the model needs, perhaps more than once."""
    yield scene.main
    for name, parameter in scene.parameters.items():
        variadic = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        if parameter.default is parameter.empty and not variadic and name != "self":
            yield name
    if scene.reads_twice:
        yield "decoder_input_ids"
    if scene.beside is not None:
        yield from ("pixel_values", *scene.beside)
    reads_text = has_free_length(scene.main)
    for name, companions in COMPANIONS.items():
        if name in scene.parameters and not (reads_text and name in WITH_TEXT):
            yield from (each for each in companions if each in scene.parameters)
    if _compares(scene):
        yield from (name for name in COMPARED if name in scene.parameters)
    if scene.main == "pixel_values" and {"input_ids", "text_embeds"} <= scene.parameters.keys():
        yield "input_ids"


def _draw(name: str, scene: Scene, model: str) -> Tensor:
    if name in OBJECTS:
        raise UserError(
            f"netwright cannot draw '{name}' for {model}",
            why="its forward goes on from earlier frames",
        )
    if name not in DRAW:
        raise UserError(
            f"netwright cannot draw '{name}' for {model}",
            why="it is no text, image, sound or series",
        )
    return DRAW[name](scene)


def _compares(scene: Scene) -> bool:
    """Whether the model compares texts with whole images or recordings, as CLIP does, so that it takes all of them."""
    compares = "return_loss" in scene.parameters or hasattr(scene.config, "logit_scale_init_value")
    return compares and hasattr(scene.config, "text_config")
