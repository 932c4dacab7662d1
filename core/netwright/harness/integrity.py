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

Part = tuple[object, object]


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
        self._parts: dict[str, Part] = {}

    def remember(self) -> None:
        """From now on, things should stay as they are; a second call changes nothing."""
        self._parts = self._parts or dict(_parts())

    def broken(self) -> str | None:
        """What is not as it was, or None."""
        now = dict(_parts())
        for name, part in self._parts.items():
            if name not in now or now[name][0] is not part[0] or now[name][1] is not part[1]:
                return name
        return None


def _parts() -> Iterator[tuple[str, Part]]:
    """Everything watched: the object, and the code of a function."""
    yield "the trace function", (sys.gettrace(), None)
    yield "the profile function", (sys.getprofile(), None)
    for stack in ("_len_torch_dispatch_stack", "_len_torch_function_stack"):
        depth = getattr(torch._C, stack, lambda: 0)()
        yield f"torch's {stack.split('_')[3]} mode", (depth, None)
    for name in MODULES:
        if (module := sys.modules.get(name)) is not None:
            yield from _callables(name, vars(module))
    for name in sorted(name for name in sys.modules if name.partition(".")[0] == "netwright"):
        yield from _own(name, sys.modules[name])
    for owner in CLASSES:
        yield from _methods(owner)


def _own(name: str, module: ModuleType) -> Iterator[tuple[str, Part]]:
    """The parts of one of netwright's modules; a global may hide a built-in function of the same name."""
    yield from _callables(name, {**vars(builtins), **vars(module)})
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == name:
            yield from _methods(value)


def _methods(owner: type) -> Iterator[tuple[str, Part]]:
    members = {name: value for base in reversed(owner.__mro__[:-1]) for name, value in list(vars(base).items())}
    return _callables(f"{owner.__module__}.{owner.__qualname__}", members)


def _callables(owner: str, members: Mapping[str, object]) -> Iterator[tuple[str, Part]]:
    for name, value in list(members.items()):
        if (callable(value) or isinstance(value, DESCRIPTORS)) and f"{owner}.{name}" not in REPLACED_BY_TORCH:
            yield f"{owner}.{name}", (value, getattr(value, "__code__", None))
