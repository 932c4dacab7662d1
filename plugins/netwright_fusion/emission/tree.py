"""A module written out: its layers by their constructors, its containers as plain modules, all under their names."""

import base64
import zlib
from collections.abc import Iterator

import torch
from torch import nn

from netwright_fusion.emission.errors import EmissionError
from netwright_fusion.emission.literal import tensor_literal
from netwright_fusion.emission.state import path_to


def constructor_lines(module: nn.Module) -> list[str]:
    """The statements of an `__init__` that gives a module the parameters and buffers of another one.

    Layers of torch.nn are built by their constructors; what has no parameters is left out. Values that a state dict
    does not hold (non-persistent buffers) are written down.

    Raises:
        EmissionError: A buffer is too large to be written down, or a name cannot be.
    """
    own = outline(module)
    lines = list(_lines(module, own, "self"))
    return lines + list(_ties(module, own))


def outline(module: nn.Module) -> nn.Module:
    """A module of the same names that is indexed as the generated one is."""
    own = nn.ModuleList() if _is_list(module) else nn.Module()
    for name, child in module.named_children():
        own.add_module(name, outline(child))
    return own


def _is_list(module: nn.Module) -> bool:
    names = [name for name, _ in module.named_children()]
    return bool(names) and names == [str(number) for number in range(len(names))] and not _own_state(module)


def _own_state(module: nn.Module) -> list[str]:
    return [name for name, value in (*module._parameters.items(), *module._buffers.items()) if value is not None]


def _lines(module: nn.Module, own: nn.Module, root: str) -> Iterator[str]:
    """The statements for everything below a module that the expression `root` stands for."""
    for name, value in module._parameters.items():
        if value is not None:
            content = f"nn.Parameter(torch.zeros({tuple(value.shape)}{_dtype(value)}))"
            yield f"{root}.register_parameter({name!r}, {content})"
    for name, buffer in module._buffers.items():
        if buffer is None:
            continue
        if name in module._non_persistent_buffers_set:
            yield f"{root}.register_buffer({name!r}, {tensor_literal(buffer, '')}, persistent=False)"
        else:
            yield f"{root}.register_buffer({name!r}, torch.zeros({tuple(buffer.shape)}{_dtype(buffer)}))"
    for name, child in module.named_children():
        if not _has_state(child):
            if isinstance(own, nn.ModuleList):
                yield f"{root}.append(nn.Identity())"
            continue
        layer = _layer(child)
        text = layer or ("nn.ModuleList()" if _is_list(child) else "nn.Module()")
        if isinstance(own, nn.ModuleList):
            yield f"{root}.append({text})"
        elif name.isidentifier():
            yield f"{root}.{name} = {text}"
        else:
            yield f"{root}.add_module({name!r}, {text})"
        if layer is None:
            yield from _lines(child, own.get_submodule(name), path_to(own, name, root))


def _has_state(module: nn.Module) -> bool:
    return any(True for _ in module.parameters()) or any(True for _ in module.buffers())


def _layer(module: nn.Module) -> str | None:
    """The constructor call of a layer of torch.nn that has the same state, or None where there is none."""
    kind = type(module)
    if getattr(nn, kind.__name__, None) is not kind or list(module.named_children()):
        return None
    text = f"nn.{kind.__name__}({module.extra_repr()})"
    try:
        with torch.device("meta"):
            built = eval(text, {"nn": nn, "torch": torch})
    except Exception:  # a representation that is no call; the module is then written out by its tensors
        return None
    if not isinstance(built, nn.Module) or _facts(built) != _facts(module):
        return None
    return text


def _facts(module: nn.Module) -> list[tuple[str, tuple[int, ...], torch.dtype]]:
    return [(name, tuple(value.shape), value.dtype) for name, value in module.state_dict().items()]


def _ties(module: nn.Module, own: nn.Module) -> Iterator[str]:
    """Assignments that let parameters of several names be one again."""
    first: dict[int, str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if id(parameter) in first:
            yield f"{path_to(own, name)} = {path_to(own, first[id(parameter)])}"
        first.setdefault(id(parameter), name)


def _dtype(value: torch.Tensor) -> str:
    return "" if value.dtype is torch.float32 else f", dtype={value.dtype}"


def check_written(module: nn.Module, lines: list[str]) -> None:
    """Build what the lines say, without memory, and hold its state against the module's.

    Raises:
        EmissionError: It has other parameters or buffers.
    """
    built = nn.Module()
    try:
        with torch.device("meta"):
            exec("\n".join(lines), {"nn": nn, "torch": torch, "base64": base64, "zlib": zlib, "self": built})
    except Exception as error:
        raise EmissionError("the module cannot be written out", why=f"{type(error).__name__}: {error}") from error
    if dict.fromkeys(built.state_dict()) != dict.fromkeys(module.state_dict()):
        missing = sorted({*module.state_dict()} ^ {*built.state_dict()})
        raise EmissionError("the module cannot be written out", why=f"its state differs in {', '.join(missing[:3])}")
