"""Integrity: whether code that a worker relies on is still what it was before a candidate was imported."""

import builtins
import sys
from collections.abc import Iterator, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import torch

MODULES = (
    "builtins",
    "ctypes",
    "gc",
    "hashlib",
    "json",
    "safetensors.torch",
    "socket",
    "time",
    "torch",
    "torch.autograd",
    "torch.cuda",
    "torch.linalg",
    "torch.nn",
    "torch.nn.functional",
    "torch.nn.modules.module",
    "torch.profiler",
)
"""Modules whose functions and classes must stay as they are, beside netwright's own."""
CLASSES = (torch.Tensor, torch.Generator, torch.nn.Module, torch.nn.Parameter, torch.cuda.Event)
"""Classes of torch whose methods must stay as they are, inherited ones too."""
REPLACED_BY_TORCH = frozenset(
    {
        "torch.Storage",  # by torch.set_default_dtype, which is a matter of settings
        "torch.manual_seed",  # by its compiler, as the next two; the harness took hold of it before
        "torch.nn.modules.module.Module.__init__",
        "torch.nn.modules.module.Module.__setstate__",
    }
)
"""What torch replaces itself."""
DESCRIPTORS = (property, classmethod, staticmethod)

_MISSING = object()


def out_of_reach() -> "Integrity":
    """An `Integrity` of a copy of this module that no name leads to: replacing parts of this one does not touch it."""
    spec = spec_from_file_location(__name__, __file__)
    assert spec is not None
    assert spec.loader is not None
    copy = module_from_spec(spec)
    spec.loader.exec_module(copy)
    integrity: Integrity = copy.Integrity()
    return integrity


class Integrity:
    """A memory of what functions and classes are, and of what is hooked into the interpreter and into torch.

    It sees replacements, new code in old functions, and what hides the inherited or the built-in. What packages add
    to themselves when parts of them are first used is no change.
    """

    def __init__(self) -> None:
        self._hooks: dict[str, object] = {}
        self._parts: list[_Part] = []
        self._spaces: list[_Space] = []

    def remember(self) -> None:
        """From now on, things should stay as they are; a second call changes nothing."""
        if not self._parts:
            self._hooks, self._parts, self._spaces = _hooks(), list(_parts()), list(_spaces())

    def broken(self) -> str | None:
        """What is not as it was, or None."""
        for name, value in _hooks().items():
            if self._hooks[name] is not value:
                return name
        watched: list[_Part | _Space] = [*self._parts, *self._spaces]
        return next((what for each in watched if (what := each.broken()) is not None), None)


class _Part:
    """A function or class, and the namespaces in which its name is looked up, one after the other."""

    __slots__ = ("_code", "_name", "_owner", "_spaces", "_value")

    def __init__(self, owner: str, name: str, spaces: tuple[Mapping[str, object], ...]) -> None:
        self._owner, self._name, self._spaces = owner, name, spaces
        self._value = self._look_up()
        self._code = getattr(self._value, "__code__", None)

    def broken(self) -> str | None:
        """Its whole name if that leads elsewhere now, or to other code."""
        value = self._look_up()
        if value is self._value and getattr(value, "__code__", None) is self._code:
            return None
        return f"{self._owner}.{self._name}"

    def _look_up(self) -> object:
        for space in self._spaces:
            if self._name in space:
                return space[self._name]
        return _MISSING


class _Space:
    """A namespace of netwright's own, and names that would hide something there.

    Args:
        hidden: What must not be added; None for anything but special names.
    """

    __slots__ = ("_hidden", "_known", "_owner", "_space")

    def __init__(self, owner: str, space: Mapping[str, object], hidden: frozenset[str] | None) -> None:
        self._owner, self._space, self._hidden = owner, space, hidden
        self._known = frozenset(space)

    def broken(self) -> str | None:
        """The whole name of what was added, or None."""
        added = self._space.keys() - self._known
        if self._hidden is not None:
            added &= self._hidden
        return next((f"{self._owner}.{name}" for name in sorted(added) if not name.startswith("__")), None)


def _hooks() -> dict[str, object]:
    hooks: dict[str, object] = {"the trace function": sys.gettrace(), "the profile function": sys.getprofile()}
    for kind in ("dispatch", "function"):
        hooks[f"torch's {kind} mode"] = getattr(torch._C, f"_len_torch_{kind}_stack", int)()
    return hooks


def _parts() -> Iterator[_Part]:
    for name in MODULES:
        if (module := sys.modules.get(name)) is not None:
            yield from _callables(name, vars(module))
    for name, module in _own_modules():
        yield from _callables(name, vars(module))
    for owner in _own_classes():
        yield from _callables(_whole_name(owner), vars(owner))
    for owner in CLASSES:
        yield from _callables(_whole_name(owner), *(vars(base) for base in owner.__mro__[:-1]))


def _spaces() -> Iterator[_Space]:
    built_in = frozenset(vars(builtins))
    for name, module in _own_modules():
        yield _Space(name, vars(module), built_in)
    for owner in _own_classes():
        yield _Space(_whole_name(owner), vars(owner), None)


def _own_modules() -> list[tuple[str, ModuleType]]:
    return sorted((name, module) for name, module in sys.modules.items() if name.partition(".")[0] == "netwright")


def _own_classes() -> list[type]:
    values = [(name, value) for name, module in _own_modules() for value in list(vars(module).values())]
    return [value for name, value in values if isinstance(value, type) and value.__module__ == name]


def _whole_name(owner: type) -> str:
    return f"{owner.__module__}.{owner.__qualname__}"


def _callables(owner: str, *spaces: Mapping[str, object]) -> Iterator[_Part]:
    for name in {name: None for space in spaces for name in list(space)}:
        value = next(space[name] for space in spaces if name in space)
        if (callable(value) or isinstance(value, DESCRIPTORS)) and f"{owner}.{name}" not in REPLACED_BY_TORCH:
            yield _Part(owner, name, spaces)
