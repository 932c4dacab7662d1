"""Packing nested values as tensors plus a JSON structure, and back."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from netwright.cases import Inputs


class NotPackableError(Exception):
    """A value that would not come back the same from tensors and JSON."""


def pack(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """`value` as a JSON structure that refers to tensors by name, and those tensors.

    Raises:
        NotPackableError: Something in it is neither a plain value, a list, a tuple, a mapping with string keys nor a
            tensor that its elements alone describe (dense, contiguous, with memory of its own, without gradient).
    """
    tensors: dict[str, Tensor] = {}
    structure = _pack(value, tensors)
    storages = {tensor.untyped_storage().data_ptr() for tensor in tensors.values() if tensor.numel()}
    if len(storages) < sum(tensor.numel() > 0 for tensor in tensors.values()):
        raise NotPackableError("two tensors share memory")
    return structure, tensors


def unpack(structure: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The value that `pack` took apart.

    Raises:
        LookupError: The structure is not one that `pack` made of these tensors.
    """
    if not isinstance(structure, dict):
        return structure
    ((kind, content),) = structure.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "list":
            return [unpack(item, tensors) for item in content]
        case "tuple":
            return tuple(unpack(item, tensors) for item in content)
        case "mapping":
            return {name: unpack(item, tensors) for name, item in content.items()}
        case "inputs":
            return Inputs(unpack(content[0], tensors), unpack(content[1], tensors))
    raise LookupError(f"no kind of value is called {kind!r}")


def _pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is Tensor and _is_plain(value):
        name = str(len(tensors))
        tensors[name] = value
        return {"tensor": name}
    if type(value) is list:
        return {"list": [_pack(item, tensors) for item in value]}
    if type(value) is tuple:
        return {"tuple": [_pack(item, tensors) for item in value]}
    if type(value) is dict and all(isinstance(name, str) for name in value):
        return {"mapping": {name: _pack(item, tensors) for name, item in value.items()}}
    if isinstance(value, Inputs):
        return {"inputs": [_pack(value.args, tensors), _pack(value.kwargs, tensors)]}
    raise NotPackableError(f"a {type(value).__name__} cannot be stored")


def _is_plain(tensor: Tensor) -> bool:
    return (
        tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and tensor.is_contiguous()
        and not tensor.requires_grad
        and not tensor.is_complex()
        and not tensor.is_quantized
    )
