"""Models by the names that people use, and what they take."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from netwright.cases import Inputs
from netwright.cases.folder import list_folder_cases
from netwright.errors import UserError, unknown_name
from netwright_pruning.tracing import run_model

SHORT_NAMES = {
    "deit_tiny": "deit_tiny_patch16_224",
    "deit_small": "deit_small_patch16_224",
    "deit_base": "deit_base_patch16_224",
    "deit_tiny_distilled": "deit_tiny_distilled_patch16_224",
    "deit_small_distilled": "deit_small_distilled_patch16_224",
    "deit_base_distilled": "deit_base_distilled_patch16_224",
    "vit_tiny": "vit_tiny_patch16_224",
    "vit_small": "vit_small_patch16_224",
    "vit_base": "vit_base_patch16_224",
    "vit_large": "vit_large_patch16_224",
    "swin_tiny": "swin_tiny_patch4_window7_224",
    "swin_small": "swin_small_patch4_window7_224",
    "swin_base": "swin_base_patch4_window7_224",
    "beit_base": "beit_base_patch16_224",
    "mobilenet_v2": "mobilenetv2_100",
    "mobilenet_v3_small": "mobilenetv3_small_100",
    "mobilenet_v3_large": "mobilenetv3_large_100",
}
"""timm's names for those that it has no model of; all others are timm's own (resnet50, convnext_tiny)."""

SIZES = (224, 32, 64, 28, 8, 256, 299, 384)
"""Heights and widths to try where a model does not tell its own."""


def model_case(name: str) -> str:
    """The case that a model's name means: `deit_small` is `timm:deit_small_patch16_224`.

    Args:
        name: A short name, a name of timm, or any case ("torchvision:resnet50", "digits_cnn").

    Raises:
        UserError: There is no such model; the nearest name is shown.
    """
    folders = [folder for folder, _ in list_folder_cases()]
    if ":" in name or "/" in name or name in folders:
        return name
    import timm  # takes its time

    reference = SHORT_NAMES.get(name, name)
    if not timm.is_model(reference):
        raise unknown_name("model", name, [*SHORT_NAMES, *timm.list_models(), *folders])
    return f"timm:{reference}"


def infer_inputs(model: nn.Module, input_shape: Sequence[int] | None = None) -> Inputs:
    """One forward's arguments for a model that takes a single tensor: one sample of normal noise, on its device.

    Args:
        input_shape: Of the input, batch first; None takes what the model says of itself (timm's do), and otherwise
            tries the usual sizes for its first layer.

    Raises:
        UserError: None of those works.
    """
    like = next((tensor for tensor in model.parameters() if tensor.is_floating_point()), torch.zeros(()))
    shapes = [tuple(input_shape)] if input_shape is not None else _candidates(model)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        for shape in shapes:
            noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
            inputs = Inputs((noise.to(like),))
            if _runs(model, inputs):
                return inputs
    finally:
        for module, training in modes:
            module.training = training
    tried = ", ".join(map(str, shapes[:4])) + (", ..." if len(shapes) > 4 else "")
    raise UserError(
        f"{type(model).__name__} runs on no input that was tried",
        why=f"shapes {tried}" if shapes else "its first layer is of no known kind",
        remedy="give the shape of its input, batch first: input_shape=(1, 3, 224, 224)",
    )


def _runs(model: nn.Module, inputs: Inputs) -> bool:
    try:
        with torch.no_grad():
            run_model(model, inputs)
    except Exception:  # a model that dislikes the shape may raise anything
        return False
    return True


def _candidates(model: nn.Module) -> list[tuple[int, ...]]:
    """Shapes to try, the likeliest first."""
    declared: Any = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", None) or {}
    size = declared.get("input_size") if hasattr(declared, "get") else None
    built_for = getattr(getattr(model, "patch_embed", None), "img_size", None)
    first = next((m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d))), None)
    found: list[tuple[int, ...]] = []
    if built_for and isinstance(first, nn.Conv2d):
        found.append((1, first.in_channels, *built_for))
    if size:
        channels = first.in_channels if isinstance(first, nn.Conv2d) else size[0]
        found.append((1, channels, *size[1:]))
    if isinstance(first, nn.Linear):
        found += [(1, first.in_features), (1, 16, first.in_features)]
    elif first is not None:
        dimensions = first.weight.dim() - 2
        found += [(1, int(first.in_channels), *([side] * dimensions)) for side in SIZES]
    return list(dict.fromkeys(found))
