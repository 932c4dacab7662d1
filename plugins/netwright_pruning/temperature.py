"""Temperature: attention that loses dimensions of its heads keeps the scale of its softmax.

`scaled_dot_product_attention` without a scale divides scores by the root of the width that its queries have, so that
narrower queries would meet a hotter softmax. What is lost is folded into the weights that make the queries.
"""

import math
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from netwright_pruning.labels import Axis

PRODUCTS = ("Addmm", "Mm", "Linear", "Bmm", "Convolution", "NativeLayerNorm", "FusedRmsNorm", "NativeBatchNorm")
"""Backward nodes beyond which nothing scales their result any more."""


@dataclass(frozen=True)
class Softmax:
    """A call of attention without a scale of its own.

    Attributes:
        module: Whose code made it.
        axis: The labels of the queries' last dimension.
    """

    module: str
    axis: Axis


class Listener(TorchFunctionMode):
    """Tells `heard` the queries of every call of attention that leaves the scale to PyTorch."""

    def __init__(self, heard: Callable[[Tensor], None]) -> None:
        super().__init__()
        self._heard = heard

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention and kwargs.get("scale") is None and len(args) < 7:
            self._heard(args[0] if args else kwargs["query"])
        return func(*args, **kwargs)


def rescale(model: nn.Module, forward: Callable[[], Any], factors: dict[str, float]) -> None:
    """Multiply the queries of attention modules by constants, through the weights that make them, in place.

    Args:
        forward: Runs the model.
        factors: By module name.

    Raises:
        ValueError: Nothing that can be scaled makes the queries.
    """
    queries: list[tuple[str, Tensor]] = []
    with torch.enable_grad(), _inside(model, factors) as inside, Listener(_note(queries, inside)), _learning(model):
        forward()
        found = [(name, query, _sources(query)) for name, query in queries]
        scaled: dict[Tensor, Tensor] = {}
        for name, query, sources in found:
            if not sources:
                raise ValueError(f"the scale of the softmax in '{name}' cannot be kept: no weight makes its queries")
            random = torch.rand(query.shape, generator=torch.Generator().manual_seed(0)).to(query)
            gradients = torch.autograd.grad((query * random).sum(), sources, retain_graph=True)
            for source, gradient in zip(sources, gradients, strict=True):
                rows = gradient.flatten(1).any(1) if gradient.dim() > 1 else gradient != 0
                scales = scaled.setdefault(source, torch.ones_like(rows, dtype=source.dtype))
                scales[rows] = factors[name]
    with torch.no_grad():
        for source, scales in scaled.items():
            source.mul_(scales.view(-1, *[1] * (source.dim() - 1)))
    for name, factor in factors.items():
        _mirror_scale(model.get_submodule(name), factor)


def _mirror_scale(module: nn.Module, factor: float) -> None:
    """A module that can also apply the scale by itself gets the one that the narrower queries ask for."""
    scale = getattr(module, "scale", None)
    if isinstance(scale, float):
        vars(module)["scale"] = scale / factor


def _note(queries: list[tuple[str, Tensor]], inside: list[str]) -> Callable[[Tensor], None]:
    def heard(query: Tensor) -> None:
        if inside:
            queries.append((inside[-1], query))

    return heard


@contextmanager
def _inside(model: nn.Module, modules: Collection[str]) -> Iterator[list[str]]:
    """A list whose last element is the one of `modules` whose code runs."""
    stack: list[str] = []
    handles = []
    for name in modules:
        module = model.get_submodule(name)
        handles.append(module.register_forward_pre_hook(lambda _module, _args, name=name: stack.append(name)))
        handles.append(module.register_forward_hook(lambda _module, _args, _output: stack.pop() and None))
    try:
        yield stack
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _learning(model: nn.Module) -> Iterator[None]:
    """Inside the block, every weight asks for a gradient."""
    frozen = [p for p in model.parameters() if p.is_floating_point() and not p.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


def _sources(query: Tensor) -> list[Tensor]:
    """The weights of the last products, normalisations or scales on the way to a tensor."""
    found: dict[Tensor, None] = {}
    seen: set[Any] = set()
    ahead = [query.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        parents = [parent for parent, _ in node.next_functions if parent is not None]
        own = [weight for parent in parents for weight in _weights(parent)]
        scales = node.name().startswith("MulBackward") and own
        if scales or node.name().startswith(PRODUCTS):
            found.update(dict.fromkeys(own))
        else:
            ahead += parents
    return list(found)


def _weights(node: Any) -> list[Tensor]:
    """The parameters that a node passes on unchanged."""
    if hasattr(node, "variable"):
        return [node.variable]
    passing = ("TBackward", "Transpose", "View", "Reshape", "Cat", "Slice", "Split", "Unsqueeze", "Expand", "Permute")
    if not node.name().startswith(passing):
        return []
    return [weight for parent, _ in node.next_functions if parent is not None for weight in _weights(parent)]


def factor_for(before: int, after: int) -> float:
    """By what queries have to grow when their width shrinks from `before` to `after`."""
    return math.sqrt(after / before)
