"""Images and videos as a model takes them: whole, in pairs, in frames or as loose patches with their places."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from transformers.models.auto import modeling_auto

from netwright_predictor.tracing.scene import GRID, Scene, deep, first

FRAMES = 16
"""Images of a video where the configuration says no number."""
REGIONS = 36
"""Parts of an image that a detector found, as the models that take them were trained."""
MATCHERS = getattr(modeling_auto, "MODEL_FOR_KEYPOINT_MATCHING_MAPPING_NAMES", ())
"""Types that compare two images."""
UNFLATTENED = frozenset({"kimi_k25_vision", "paddleocr_vl_vision"})
"""Towers that take loose patches with rows and columns, not as vectors."""
PLACES = ("grid_thw", "image_grid_thw", "spatial_shapes", "pixel_position_ids", "image_position_ids", "target_sizes")
"""Parameters by which a model is told where patches lie: it takes them loose."""


def pixels(scene: Scene) -> Tensor:
    """Images, (batch, channels, height, width); with a dimension more where each is a pair, in tiles, or a video."""
    if any(name in scene.parameters for name in PLACES):
        return patches(scene)
    image = (channels(scene), *image_size(scene))
    if scene.config.model_type in MATCHERS:
        return torch.zeros(scene.batch, 2, *image)
    if "image_encoder_embeddings" in scene.parameters:  # Idefics: several for each text
        return torch.zeros(scene.batch, 1, *image)
    if scene.beside is not None and first(scene.config, "image_grid_pinpoints"):
        (height, width), (high, wide) = _pinpoint(scene), image_size(scene)
        return torch.zeros(scene.batch, 1 + -(-height // high) * -(-width // wide), *image)
    if scene.beside is not None and "pixel_attention_mask" in scene.parameters:
        # several images per text, of which those that are black do not count: models ask for the numbers
        return torch.ones((scene.batch, 1, *image), dtype=torch.uint8).to(torch.get_default_dtype())
    frames = first(scene.vision, "num_frames") if scene.main == "pixel_values" else None
    if scene.beside is not None and hasattr(scene.config, "video_token_index") and not names_image_token(scene.config):
        frames = FRAMES
    return torch.zeros(scene.batch, frames, *image) if frames else torch.zeros(scene.batch, *image)


def names_image_token(config: Any) -> bool:
    """Whether a config has a place for the token of an image; where it has only one for videos, those are read."""
    return hasattr(config, "image_token_id") or hasattr(config, "image_token_index")


def video(scene: Scene) -> Tensor:
    """(batch, frames, channels, height, width)."""
    frames = deep(scene.config, "num_frames", "frames_per_clip") or FRAMES
    return torch.zeros(scene.batch, frames, channels(scene), *image_size(scene))


def patches(scene: Scene) -> Tensor:
    """Patches of all images: one behind the other as Qwen2-VL's tower takes them, or by image where it says so."""
    size = int(first(scene.vision, "patch_size") or 14)
    if scene.vision.model_type in UNFLATTENED:
        alone = [1] if scene.config.model_type == "paddleocr_vl_vision" else []  # all patches as one sequence
        return torch.zeros(*alone, scene.batch * GRID * GRID, channels(scene), size, size)
    width = channels(scene) * int(first(scene.vision, "temporal_patch_size", "patch_temporal") or 1) * size * size
    if "target_sizes" in scene.parameters:  # all patches of all images side by side, as one image
        return torch.zeros(1, channels(scene), size, scene.batch * GRID * GRID * size)
    if "grid_thw" in scene.parameters or "image_grid_thw" in scene.parameters:
        return torch.zeros(scene.batch * GRID * GRID, width)
    return torch.zeros(scene.batch, GRID * GRID, width)


def grid(scene: Scene) -> Tensor:
    """Frames, rows and columns of the patches of each image."""
    return torch.tensor([[1, GRID, GRID]] * scene.batch)


def rows_and_columns(scene: Scene) -> Tensor:
    """The same without frames."""
    return torch.tensor([[GRID, GRID]] * scene.batch)


def image_sizes(scene: Scene) -> Tensor:
    """Height and width of each image; where it is cut into tiles, of all of them together."""
    cut = first(scene.config, "image_grid_pinpoints")
    return torch.tensor([list(_pinpoint(scene) if cut else image_size(scene))] * scene.batch)


def _pinpoint(scene: Scene) -> tuple[int, int]:
    """The first size that an image may be cut at into whole tiles; the first of all where none is."""
    sizes: list[list[int]] = scene.config.image_grid_pinpoints
    high, wide = image_size(scene)
    whole = (size for size in sizes if size[0] % high == 0 and size[1] % wide == 0)
    height, width = next(whole, sizes[0])
    return height, width


def high_resolution(scene: Scene) -> Tensor:
    """The same images for a second tower that reads larger ones."""
    side = int(scene.config.high_res_vision_config.image_size)
    return torch.zeros(scene.batch, channels(scene), side, side)


def looked_at(scene: Scene) -> Tensor:
    """Every token sees the image, (batch, tokens, images)."""
    return torch.ones(scene.batch, scene.read, 1, dtype=torch.long)


def tiles(scene: Scene) -> Tensor:
    """No tile is padding: which of the patches of loose ones, or of the images of each text, are real."""
    if "spatial_shapes" in scene.parameters or scene.beside is None:
        return shown_patches(scene)
    return torch.ones(scene.batch, 1, dtype=torch.bool)


def places(scene: Scene) -> Tensor:
    """Column and row of every patch."""
    return torch.tensor([[[place % GRID, place // GRID] for place in range(GRID * GRID)]] * scene.batch)


def ones_per_image(scene: Scene) -> Tensor:
    """By how much the patches of each image are merged: not at all."""
    return torch.ones(scene.batch, dtype=torch.long)


def shown_patches(scene: Scene) -> Tensor:
    """No patch is padding."""
    return torch.ones(scene.batch, GRID * GRID, dtype=torch.long)


def flattened(scene: Scene) -> Tensor:
    """Patches with their row and column before their pixels, as Pix2Struct takes them."""
    vision = scene.vision
    width = 2 + channels(scene) * int(first(vision, "patch_size") or 16) ** 2
    return torch.ones(scene.batch, int(first(vision, "seq_len") or GRID * GRID), width)


def regions(scene: Scene) -> Tensor:
    """What a detector found, as vectors."""
    return torch.zeros(scene.batch, REGIONS, first(scene.config, "visual_feat_dim"))


def region_boxes(scene: Scene) -> Tensor:
    """Where it found that."""
    return torch.zeros(scene.batch, REGIONS, first(scene.config, "visual_pos_dim"))


def queries(scene: Scene) -> Tensor:
    """Learned vectors that ask about an image."""
    return torch.zeros(scene.batch, first(scene.config, "num_query_tokens") or 32, scene.config.hidden_size)


def image_states(scene: Scene) -> Tensor:
    """What a tower says of an image."""
    return torch.zeros(scene.batch, GRID * GRID, scene.config.encoder_hidden_size)


def task(scene: Scene) -> Tensor:
    """A text that names the task."""
    return torch.zeros(scene.batch, int(first(scene.config, "task_seq_len") or 77), dtype=torch.long)


def channels(scene: Scene) -> int:
    """Colours; 3 where the config says no number."""
    found = deep(scene.vision, "num_channels", "in_channels", "in_chans", "image_channels")
    return found if isinstance(found, int) else 3


def image_size(scene: Scene) -> tuple[int, int]:
    """Height and width, as the tower says, or else any part of the config; 224 where none does."""
    names = ("image_size", "img_size", "crop_size")
    ratios, patch = first(scene.config, "scaled_images_ratios"), first(scene.config, "patch_size")
    size: Any = int(patch / min(ratios)) if ratios and patch else None
    size = size or deep(scene.vision, *names) or deep(scene.config, *names) or _timm_size(scene.config) or 224
    height, width = size if isinstance(size, list | tuple) else (size, size)
    if "prompt_pixel_values" in scene.parameters:  # an example lies above the image
        height //= 2
    return int(height), int(width)


def _timm_size(config: Any) -> int | None:
    """Height and width that a backbone of timm was made for, where a part of the config names one."""
    name = deep(config, "architecture")
    if not isinstance(name, str):
        return None
    try:
        from timm.models import get_pretrained_cfg
    except ImportError:  # then it cannot be built either
        return None
    found = get_pretrained_cfg(name)
    return int(found.input_size[-1]) if found is not None else None


IMAGES: Mapping[str, Callable[[Scene], Tensor]] = {
    "pixel_values": pixels,
    "prompt_pixel_values": pixels,
    "prompt_masks": pixels,
    "pixel_values_videos": video,
    "hidden_states": patches,
    "grid_thw": grid,
    "image_grid_thw": grid,
    "image_sizes": image_sizes,
    "image_position_ids": places,
    "merge_sizes": ones_per_image,
    "image_merge_sizes": ones_per_image,
    "spatial_shapes": rows_and_columns,
    "target_sizes": rows_and_columns,
    "pixel_position_ids": places,
    "pixel_attention_mask": tiles,
    "high_res_pixel_values": high_resolution,
    "image_attention_mask": looked_at,
    "flattened_patches": flattened,
    "visual_feats": regions,
    "visual_pos": region_boxes,
    "query_embeds": queries,
    "encoder_hidden_states": image_states,
    "task_inputs": task,
}
"""How each input of images is drawn, by its name."""
