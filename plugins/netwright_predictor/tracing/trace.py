"""The trace: which modules a forward calls, on which shapes, and what each does itself."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from os import sep
from pathlib import Path
from traceback import extract_tb
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from netwright_predictor.tracing.counter import OperatorCounter
from netwright_predictor.tracing.feed import Feed
from netwright_predictor.tracing.repeats import skipped_repeats, spared_modules
from netwright_predictor.tracing.sizes import Phase, Sizes

Shape = tuple[int, ...]


@dataclass
class Call:
    """One call of one module at one set of sizes.

    Attributes:
        shapes: Of the tensors among its arguments, by the parameter's name; "name.0" for those inside of it.
        outputs: Of the tensors that it returns.
        flops: Floating-point operations by operator, of what it does itself: without its children.
        uncounted: Operators that it calls itself and no formula covers.
    """

    shapes: dict[str, Shape]
    outputs: tuple[Shape, ...] = ()
    flops: Counter[str] = field(default_factory=Counter)
    uncounted: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Trace:
    """One forward.

    Attributes:
        calls: By path of the module ("" is the model), in order.
        same_as: Path of a layer that was spared to the path of the alike one that ran; their children's calls are the
            same, too.
    """

    sizes: Sizes
    calls: Mapping[str, list[Call]]
    same_as: Mapping[str, str]


def trace(model: nn.Module, feed: Feed, sizes: Sizes, phase: Phase) -> Trace:
    """Call a model on fake tensors of these sizes.

    Args:
        model: As `faked` made it, inside its block.

    Raises:
        Exception: Whatever the model's own code raises.
    """
    calls: dict[str, list[Call]] = {}
    same_as: dict[str, str] = {}
    path_of = {module: path for path, module in model.named_modules()}

    def note(spared: nn.Module, first: nn.Module) -> None:
        same_as[path_of[spared]] = path_of[first]

    with skipped_repeats(model, lambda *_: None):
        kwargs = feed.inputs(model, sizes, phase)
    with (
        OperatorCounter() as counter,
        recorded_calls(path_of, calls, counter) as watch,
        skipped_repeats(model, note, lambda layer: watch(layer.modules())),
        torch.set_grad_enabled(phase == "train"),
    ):
        watch(path_of.keys() - spared_modules(model))
        model(**kwargs)
    return Trace(sizes, calls, same_as)


@contextmanager
def recorded_calls(
    path_of: Mapping[nn.Module, str], calls: dict[str, list[Call]], counter: OperatorCounter
) -> Iterator[Callable[[Iterable[nn.Module]], None]]:
    """Inside the block, every call of a watched module is appended to `calls`, with what is counted meanwhile.

    Yields:
        A function that makes modules watched.
    """
    open_calls: list[Call] = []
    outside = counter.flops, counter.uncounted
    watched: set[nn.Module] = set()

    def enter(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        call = Call(shapes=_arguments(module, args, kwargs))
        calls.setdefault(path_of[module], []).append(call)
        open_calls.append(call)
        counter.flops, counter.uncounted = call.flops, call.uncounted

    def leave(_: nn.Module, __: Any, ___: Any, output: Any) -> None:
        call = open_calls.pop()
        call.outputs = _shapes(output)
        counter.flops, counter.uncounted = (open_calls[-1].flops, open_calls[-1].uncounted) if open_calls else outside

    with ExitStack() as stack:

        def watch(modules: Iterable[nn.Module]) -> None:
            for module in modules:
                if module not in watched:
                    watched.add(module)
                    stack.callback(module.register_forward_pre_hook(enter, with_kwargs=True).remove)
                    stack.callback(module.register_forward_hook(leave, with_kwargs=True).remove)

        yield watch


def asked_at(error: Exception) -> str:
    """The operator and the line of a model's code by which a forward asked for numbers that fake tensors lack."""
    frames = [each for each in extract_tb(error.__traceback__) if f"{sep}models{sep}" in each.filename]
    line = f", {Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""
    return f"{error}{line}"


def _arguments(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Shape]:
    bound = inspect.signature(type(module).forward).bind_partial(module, *args, **kwargs).arguments
    found: dict[str, Shape] = {}
    for name, value in bound.items():
        if isinstance(value, Tensor):
            found[name] = tuple(value.shape)
        elif isinstance(value, tuple | list | dict):
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            found |= {f"{name}.{key}": tuple(each.shape) for key, each in inner if isinstance(each, Tensor)}
    return found


def _shapes(output: Any) -> tuple[Shape, ...]:
    return tuple(tuple(leaf.shape) for leaf in tree_leaves(output) if isinstance(leaf, Tensor))
