"""The skeleton: a model with all its modules and shapes, and without a single weight."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode

from netwright.errors import MissingDependencyError, NetwrightError, UserError

PLACES: tuple[Callable[[], AbstractContextManager[Any]], ...] = (lambda: torch.device("meta"), FakeTensorMode)
"""Where a constructor runs without memory, in the order in which they are tried.

With transformers 5, the meta device suffices for every class that can be built from its default config at all; fake
tensors help constructors that move tensors to a device by name.
"""


def build_skeleton(model_class: type[nn.Module], config: object) -> nn.Module:
    """Build a model on the meta device, in eval mode, in the config's dtype; weights that are tied are one parameter.

    Buffers that are one whole number keep it, on the CPU: models ask them for the stride of a layer and the like.
    Neither the hub nor the disk is asked, and `config` stays as it was.

    Args:
        model_class: A class of transformers, or any that is built from one config object.
        config: Its config, or a composite one that holds it as a part.

    Raises:
        UserError: The class refuses the config.
        MissingDependencyError: It needs a package that is not installed.
        NetwrightError: The constructor needs real tensors.
    """
    failures = []
    for place in PLACES:
        try:
            fitting = _config_for(model_class, deepcopy(config))
            with place(), KnownNumbers():
                model = _construct(model_class, fitting)
        except Exception as error:  # a constructor may raise anything
            failures.append(error)
            continue
        _move_to_meta(model)
        return model.eval()
    reasons = list(dict.fromkeys(" ".join(f"{type(error).__name__}: {error}".split()) for error in failures))
    if isinstance(failures[0], ImportError):
        raise MissingDependencyError(f"{model_class.__name__} needs a package that is missing", why=reasons[0])
    if len(reasons) == 1:
        raise UserError(f"{model_class.__name__} cannot be built from this config", why=reasons[0]) from failures[0]
    raise NetwrightError(
        f"{model_class.__name__} cannot be built without weights",
        why=f"on the meta device: {reasons[0]}; with fake tensors: {reasons[1]}",
    ) from failures[0]


class KnownNumbers(TorchFunctionMode):
    """Inside the block, `torch.tensor` of one whole number keeps that number, whatever device is the default."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run one function."""
        del types
        kwargs = kwargs or {}
        if func is torch.tensor and args and type(args[0]) is int and "device" not in kwargs:
            kwargs = {**kwargs, "device": "cpu"}
        return func(*args, **kwargs)


def is_known_number(tensor: Tensor) -> bool:
    """Whether a tensor of a skeleton is one whole number that is known."""
    if isinstance(tensor, FakeTensor | nn.Parameter) or tensor.is_meta or tensor.dim():
        return False
    return not (tensor.is_floating_point() or tensor.is_complex())


def _construct(model_class: type[nn.Module], config: object) -> nn.Module:
    from_config = getattr(model_class, "_from_config", None)  # sets dtype and attention as transformers would
    model = from_config(config) if from_config is not None else model_class(config)
    assert isinstance(model, nn.Module)
    return model


def _config_for(model_class: type[nn.Module], config: object) -> object:
    """The part of a composite config that the class is built from, as transformers' auto classes choose it."""
    wanted = getattr(model_class, "config_class", None)
    if wanted is None or isinstance(config, wanted):
        return config
    parts = (getattr(config, name, None) for name in getattr(config, "sub_configs", {}))
    return next((part for part in parts if isinstance(part, wanted)), config)


def _move_to_meta(model: nn.Module) -> None:
    """Put tensors on the meta device, fake and real ones but no known numbers; what is shared stays shared."""
    moved: dict[int, Tensor] = {}
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is None or is_known_number(tensor):
                    continue
                if not tensor.is_meta or isinstance(tensor, FakeTensor):
                    tensors[name] = moved.setdefault(id(tensor), _on_meta(tensor))  # type: ignore[assignment]


def _on_meta(tensor: Tensor) -> Tensor:
    empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
    return nn.Parameter(empty, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
