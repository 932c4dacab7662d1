"""What the image collections share: the sizes of inputs, and checking a constructor's arguments without building."""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from netwright.cases import Case, CaseOptions
from netwright.cases.draw import draw_declared
from netwright.cases.manifest import InputsSpec, Size, TensorSpec
from netwright.config import Config
from netwright.errors import UserError, unknown_name
from netwright.files import content_key

UNKNOWN_ARGUMENT = re.compile(r"unexpected keyword argument '(\w+)'")


class ImageOptions(Config):
    """Keys of `case_options.constants` that size the inputs; all others are arguments of the model's constructor."""

    batch_size: Size = 1
    """Number of images."""
    image_size: Size | None = None
    """Height and width in pixels; null takes the model's default."""


def image_case(
    name: str,
    create: Callable[..., nn.Module],
    kwargs: Mapping[str, Any],
    shape: tuple[int, int, int, int],
    options: CaseOptions,
    *,
    module_class: Callable[[], type[nn.Module]],
    collection: str,
) -> Case:
    """The case of a model that `create(**kwargs)` makes and that takes one batch of images.

    Args:
        name: The case's name.
        kwargs: The arguments beyond the model's name; variants that replace its class are built with them, too.
        shape: (batch, channels, height, width).
        collection: The collection and its version.

    Raises:
        UserError: The model cannot be built with these arguments; of an unknown one, the nearest is shown.
    """
    _check_arguments(name, create, kwargs, module_class)
    return Case(
        name=name,
        description=f"{name.partition(':')[2]} of {collection}",
        build=partial(create, **kwargs),
        draw_inputs=partial(draw_declared, InputsSpec(args=(TensorSpec(shape=shape),))),
        mode=options.mode or "eval",
        options=options,
        module_class=module_class,
        init_kwargs=kwargs,
        content=content_key(name, collection, kwargs, shape),
    )


def skeleton(create: Callable[..., nn.Module], kwargs: Mapping[str, Any]) -> nn.Module:
    """The model on the meta device: all of its structure, none of its memory, no pretrained weights."""
    with torch.device("meta"):
        return create(**{name: value for name, value in kwargs.items() if name not in ("pretrained", "weights")})


def _check_arguments(
    name: str,
    create: Callable[..., nn.Module],
    kwargs: Mapping[str, Any],
    module_class: Callable[[], type[nn.Module]],
) -> None:
    try:
        skeleton(create, kwargs)
    except NotImplementedError:
        return  # a constructor that computes with tensors cannot run on the meta device
    except Exception as error:
        unknown = UNKNOWN_ARGUMENT.search(str(error))
        if unknown and unknown[1] in kwargs:
            known = {*inspect.signature(module_class()).parameters, *ImageOptions.model_fields}
            raise unknown_name(f"constant of {name}", unknown[1], known) from None
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{name} cannot be built with {dict(kwargs)}", why=reason) from error
