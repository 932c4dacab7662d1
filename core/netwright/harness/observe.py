"""Looking at what a call did: what it returned, what that shares memory with, and what the call changed."""

import ctypes
import hashlib
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from netwright.harness.protocol import LeafFacts

_sha256 = hashlib.sha256
_copy_under_lock = ctypes.string_at


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
    return LeafFacts(
        type=_type_name(type(leaf)),
        dtype=str(leaf.dtype).removeprefix("torch."),
        shape=tuple(leaf.shape),
        strides=_strides(leaf),
        device=str(leaf.device),
        aliases=tuple(sorted(name for name, tensor in state.items() if _share_memory(leaf, tensor))),
    )


def as_tensor(leaf: Tensor | float) -> Tensor:
    """A copy of an output's values as they are now; a Python float becomes a float64 scalar.

    In main memory it is made in one go under the interpreter's lock: no thread of Python's starts anything meanwhile.
    """
    if isinstance(leaf, float):
        return torch.tensor(leaf, dtype=torch.float64)
    plain = leaf.detach()
    if not _lies_plainly(plain):
        try:
            return plain.clone().to(plain.device if plain.device.type != "meta" else "cpu")
        except (NotImplementedError, RuntimeError, TypeError):
            return torch.empty(0, dtype=leaf.dtype)  # values that cannot be had are no values
    extent = 1 + sum((size - 1) * stride for size, stride in zip(plain.shape, plain.stride(), strict=True))
    copied = bytearray(_copy_under_lock(plain.data_ptr(), extent * plain.element_size()))
    return torch.frombuffer(copied, dtype=plain.dtype).as_strided(plain.shape, plain.stride())


def digest(tensor: Tensor) -> str:
    """SHA-256 of a tensor's elements, bit by bit."""
    plain = tensor.detach()
    if plain.layout != torch.strided:
        plain = plain.to_dense()
    raw = plain.cpu().contiguous().reshape(-1)
    raw = torch.view_as_real(raw.resolve_conj()).reshape(-1) if raw.is_complex() else raw
    return _sha256(raw.view(torch.uint8).numpy().data).hexdigest()


def _lies_plainly(tensor: Tensor) -> bool:
    """Whether a tensor's values are those bytes in main memory that its strides say."""
    odd = tensor.is_quantized or tensor.is_conj() or tensor.is_neg() or tensor.numel() == 0
    return type(tensor) is Tensor and tensor.layout == torch.strided and tensor.device.type == "cpu" and not odd


def _describe(value: Any, leaves: list[Tensor | float], seen: set[int]) -> str:
    name = _type_name(type(value))
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


def _type_name(kind: type) -> str:
    """A type's name with its module; that of an impostor, which goes by another type's name, says so."""
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    home = sys.modules.get(kind.__module__)
    known = getattr(home, kind.__qualname__, kind)
    return name if known is kind else f"{name} (not the type of that name)"


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
    if type(left) not in (Tensor, Parameter):
        return False  # another class decides what its memory is
    if left.layout != torch.strided or right.layout != torch.strided or left.device != right.device:
        return False
    (start, end), (other_start, other_end) = _extent(left), _extent(right)
    return start < other_end and other_start < end


def _extent(tensor: Tensor) -> tuple[int, int]:
    storage = tensor.untyped_storage()
    return storage.data_ptr(), storage.data_ptr() + storage.nbytes()
