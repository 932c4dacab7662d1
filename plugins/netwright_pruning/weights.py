"""Weights from files: state dicts of others, read without running any code in them."""

import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from netwright.context import current_run
from netwright.errors import UserError

WRAPPERS = ("state_dict", "model", "model_state_dict", "model_ema", "state_dict_ema")
"""Keys under which training scripts keep the state dict."""


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of safetensors or of `torch.save`, on the CPU.

    Raises:
        UserError: The file cannot be read, holds no state dict, or would have to run code.
    """
    try:
        values: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except OSError as error:
        raise UserError(f"cannot read {path}", why=(error.strerror or str(error)).lower()) from None
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        why = " ".join(str(error).split())[:200]
        remedy = "save model.state_dict(): a file of whole objects is not read, since that runs its code"
        raise UserError(f"{path} is no file of weights", why=why, remedy=remedy) from None
    while isinstance(values, Mapping) and (inner := next((values[key] for key in WRAPPERS if key in values), None)):
        values = inner
    if not isinstance(values, Mapping) or not any(isinstance(value, Tensor) for value in values.values()):
        raise UserError(f"{path} holds no state dict", remedy="save model.state_dict()")
    return {str(name).removeprefix("module."): value for name, value in values.items() if isinstance(value, Tensor)}


def load_weights(model: nn.Module, path: Path) -> list[str]:
    """Give a model the weights of a file, in place; raises as `read_state_dict` and `fit_weights`."""
    return fit_weights(model, read_state_dict(path), str(path))


def fit_weights(model: nn.Module, weights: Mapping[str, Tensor], origin: str) -> list[str]:
    """Give a model these weights, in place, but for the last layer where that has other classes.

    Args:
        origin: Where they come from, for messages.

    Returns:
        The weights that were left as they were, being a classifier for other classes.

    Raises:
        UserError: They are another model's; the message names the first weight that does not fit.
    """
    own = model.state_dict()
    weights = _converted(model, weights)
    odd = sorted(own.keys() ^ weights.keys())
    if odd:
        side = "the file" if odd[0] in weights else "the model"
        raise UserError(f"{origin} has the weights of another model", why=f"only {side} has '{odd[0]}'")
    misfits = [name for name in own if own[name].shape != weights[name].shape]
    heads = _classifiers(model)
    for name in misfits:
        if name.rpartition(".")[0] not in heads:
            shapes = f"{tuple(weights[name].shape)} in the file, {tuple(own[name].shape)} in the model"
            raise UserError(f"{origin} has the weights of another model", why=f"'{name}' is {shapes}")
    if misfits:
        current_run().warn(f"{', '.join(misfits)} of {origin} are for other classes and are left out")
    model.load_state_dict({**own, **{name: value for name, value in weights.items() if name not in misfits}})
    return misfits


def _converted(model: nn.Module, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Weights of one of timm's models as it takes them: position tables of other image sizes are resampled."""
    own = model.state_dict()
    fits = own.keys() == weights.keys() and all(own[name].shape == weights[name].shape for name in own)
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if fits or convert is None:
        return weights
    try:
        converted: dict[str, Tensor] = convert(dict(weights), model)
    except (KeyError, RuntimeError, AttributeError, TypeError):  # no weights of that model
        return weights
    return converted


def count_classes(model: nn.Module, weights: Mapping[str, Tensor]) -> int | None:
    """How many classes the weights tell apart; None where the model's classifier is not among them."""
    heads = (weights.get(f"{name}.weight") for name in sorted(_classifiers(model)))
    return next((len(head) for head in heads if head is not None), None)


def _classifiers(model: nn.Module) -> set[str]:
    """The names of the layers that give the classes: what timm declares, or else the last linear layer."""
    declared: Any = getattr(model, "pretrained_cfg", None) or {}
    named = declared.get("classifier")
    if named:
        return {named} if isinstance(named, str) else set(named)
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return set(linear[-1:])
