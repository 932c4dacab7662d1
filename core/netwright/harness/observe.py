"""Looking at what a call did: what it returned, what that shares memory with, and what the call changed."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from netwright.harness.protocol import LeafFacts

_sha256 = hashlib.sha256


def flatten(value: Any) -> tuple[str, list[Tensor | float]]:
    """What a call returned, taken apart.

    Returns:
        A text that says how it is built, types included, with `tensor` or `float` in the place of every leaf; and the
        leaves in that order. Attributes of objects are looked into, so that caches and model outputs are seen whole.
    """
    leaves: list[Tensor | float] = []
    return _describe(value, leaves, set()), leaves


def leaf_facts(leaf: Tensor | float, state: Mapping[str, Tensor]) -> LeafFacts:
    """Everything about an output but its values.

    Args:
        state: Inputs, parameters and buffers by name, to tell which of them it shares memory with.
    """
    if isinstance(leaf, float):
        return LeafFacts(type="float", dtype="float64", shape=(), strides=(), device="cpu")
    kind = type(leaf)
    return LeafFacts(
        type=kind.__name__ if kind.__module__.startswith("torch") else f"{kind.__module__}.{kind.__name__}",
        dtype=str(leaf.dtype).removeprefix("torch."),
        shape=tuple(leaf.shape),
        strides=_strides(leaf),
        device=str(leaf.device),
        aliases=tuple(sorted(name for name, tensor in state.items() if _share_memory(leaf, tensor))),
    )


def as_tensor(leaf: Tensor | float) -> Tensor:
    """A copy of an output's values; a Python float becomes a float64 scalar."""
    if isinstance(leaf, float):
        return torch.tensor(leaf, dtype=torch.float64)
    return leaf.detach().clone()


def digest(tensor: Tensor) -> str:
    """SHA-256 of a tensor's elements, bit by bit."""
    plain = tensor.detach()
    if plain.layout != torch.strided:
        plain = plain.to_dense()
    raw = plain.cpu().contiguous().reshape(-1)
    raw = torch.view_as_real(raw.resolve_conj()).reshape(-1) if raw.is_complex() else raw
    return _sha256(raw.view(torch.uint8).numpy().data).hexdigest()


def _describe(value: Any, leaves: list[Tensor | float], seen: set[int]) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, (Tensor, float)):
        leaves.append(value)
        return "tensor" if isinstance(value, Tensor) else "float"
    if value is None or isinstance(value, (bool, int, str, bytes, complex, torch.dtype, torch.device, torch.Size)):
        return f"{name} {value!r}"
    if id(value) in seen:
        return f"{name} again"
    seen.add(id(value))
    if isinstance(value, Mapping):
        return _join(name, {repr(key): item for key, item in value.items()}, leaves, seen)
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"{name}[{', '.join(_describe(item, leaves, seen) for item in value)}]"
    if is_dataclass(value) and not isinstance(value, type):
        return _join(name, {field.name: getattr(value, field.name) for field in fields(value)}, leaves, seen)
    if isinstance(value, (type, torch.nn.Module)) or callable(value):
        return name
    return _join(name, getattr(value, "__dict__", {}), leaves, seen)


def _join(name: str, items: Mapping[str, Any], leaves: list[Tensor | float], seen: set[int]) -> str:
    parts = [f"{key}: {_describe(item, leaves, seen)}" for key, item in items.items()]
    return f"{name}{{{', '.join(parts)}}}"


def _strides(tensor: Tensor) -> tuple[int, ...] | None:
    """The strides that mean something: one of a dimension of a single element may be anything, and is given as 0."""
    if tensor.layout != torch.strided:
        return None
    if tensor.numel() < 2:
        return (0,) * tensor.dim()
    return tuple(0 if size == 1 else stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))


def _share_memory(left: Tensor, right: Tensor) -> bool:
    if left.layout != torch.strided or right.layout != torch.strided or left.device != right.device:
        return False
    (start, end), (other_start, other_end) = _extent(left), _extent(right)
    return start < other_end and other_start < end


def _extent(tensor: Tensor) -> tuple[int, int]:
    storage = tensor.untyped_storage()
    return storage.data_ptr(), storage.data_ptr() + storage.nbytes()
