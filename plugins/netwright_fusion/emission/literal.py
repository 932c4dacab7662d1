"""Python text for the constant arguments of operators."""

import base64
import json
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from netwright_fusion.emission.errors import EmissionError

MOST_ELEMENTS = 4096
"""Constants beyond that are no text that anybody would read: they are packed."""
MOST_CHARACTERS = 1 << 16
"""Constants that take more than that when packed are data, and belong into no source."""


class Literals:
    """Writes arguments.

    Args:
        name_of: The text for a node.
        size_of: The text for a symbolic size that no node stands for.
        device: The text for the device that everything is on.
    """

    def __init__(self, name_of: Callable[[fx.Node], str], size_of: Callable[[Any], str], device: str) -> None:
        self._name_of = name_of
        self._size_of = size_of
        self._device = device

    def __call__(self, value: Any) -> str:
        """The text for any argument of a node.

        Raises:
            EmissionError: There is none.
        """
        match value:
            case fx.Node():
                return self._name_of(value)
            case torch.SymInt():
                return self._size_of(value)
            case float():
                return number(value)
            case str():
                return quoted(value)
            case None | bool() | int() | complex():
                return repr(value)
            case torch.dtype() | torch.memory_format() | torch.layout():
                return str(value)
            case torch.device():
                return self._device
            case tuple():
                return f"({', '.join(map(self, value))}{',' if len(value) == 1 else ''})"
            case list() if value and all(isinstance(item, (int, torch.SymInt)) for item in value):
                return self(tuple(value))
            case list():
                return f"[{', '.join(map(self, value))}]"
            case slice():
                ends = (value.start, value.stop, *([value.step] if value.step not in (None, 1) else []))
                return ":".join("" if end is None else self(end) for end in ends)
            case Mapping():
                return "{" + ", ".join(f"{key!r}: {self(item)}" for key, item in value.items()) + "}"
        raise EmissionError(f"an argument of type {type(value).__name__} cannot be written down")


def quoted(text: str) -> str:
    """A string in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def number(value: float) -> str:
    """A float that reads back as itself."""
    if math.isfinite(value):
        return repr(value)
    return f'float("{value}")'


def tensor_literal(tensor: Tensor, device: str) -> str:
    """An expression that makes the tensor anew.

    Raises:
        EmissionError: It holds too much for that.
    """
    tensor = tensor.detach().cpu()
    where = f", device={device}" if device else ""
    if not tensor.numel():
        return f"torch.zeros({tuple(tensor.shape)}, dtype={tensor.dtype}{where})"
    if tensor.dtype is not torch.bool and not tensor.is_complex():
        first = tensor.flatten()[0].item()
        if tensor.dim() and bool((tensor == first).all()):
            return f"torch.full({tuple(tensor.shape)}, {_scalar(first)}, dtype={tensor.dtype}{where})"
        if tensor.dim() == 1 and tensor.dtype == torch.int64 and torch.equal(tensor, torch.arange(len(tensor))):
            return f"torch.arange({len(tensor)}{where})"
    if tensor.numel() > MOST_ELEMENTS:
        return f"{_packed(tensor)}{f'.to({device})' if device else ''}"
    return f"torch.tensor({_nested(tensor.tolist())}, dtype={tensor.dtype}{where})"


def _packed(tensor: Tensor) -> str:
    """An expression of the tensor's bytes, compressed: index tables and masks take few."""
    content = tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()
    text = base64.b85encode(zlib.compress(content, 9)).decode()
    if len(text) > MOST_CHARACTERS:
        raise EmissionError(f"a constant of {tensor.numel():,} elements cannot be written down")
    unpacked = f'bytearray(zlib.decompress(base64.b85decode("{text}")))'
    return f"torch.frombuffer({unpacked}, dtype={tensor.dtype}).reshape({tuple(tensor.shape)})"


def _nested(value: Any) -> str:
    return f"[{', '.join(map(_nested, value))}]" if isinstance(value, list) else _scalar(value)


def _scalar(value: Any) -> str:
    return number(value) if isinstance(value, float) else repr(value)
