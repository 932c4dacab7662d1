"""Masking: a forward in which whatever averages over channels sees only those that remain."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._ops import OpOverload

from netwright.cases import Inputs
from netwright_pruning.heads import Heads
from netwright_pruning.labels import Axis, Labels
from netwright_pruning.rules import RULES, pointwise, unknown
from netwright_pruning.tracing import Arguments, Tracer, run_model

Kept = dict[int, Tensor]
"""Per dimension that lost some, the indices that remain."""

Masked = Callable[[OpOverload, Arguments, Kept], Any]


def run_masked(model: nn.Module, inputs: Inputs, labels: Labels, gone: NDArray[np.bool_], heads: Heads) -> list[Tensor]:
    """The outputs of a model whose channels in `gone` are zeroed, as far as means and normalisations pass them over.

    Args:
        labels: Of a trace of the same model.
        gone: Per class of these labels, whether it went.
        heads: What that trace took to go from attention.
    """
    masker = _Masker(model, labels, gone, heads)
    masker.run(lambda: run_model(model, inputs))
    return masker.outputs


class _Masker(Tracer):  # type: ignore[no-untyped-call]
    """Follows labels as a tracer does, and narrows what reductions look at."""

    def __init__(self, model: nn.Module, labels: Labels, gone: NDArray[np.bool_], heads: Heads) -> None:
        super().__init__(model, RULES, pointwise, unknown, heads)
        self._original, self._gone = labels, gone

    def compute(self, func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], arguments: Arguments) -> Any:
        """As it is for all channels, or for those that remain."""
        operator = func._schema.name.partition("::")[2]
        masked = MASKED.get(operator)
        if masked is not None:
            axes = self.axes(arguments["input"] if "input" in arguments else arguments["self"])
            kept = {dim: kept for dim, axis in enumerate(axes) if (kept := self._kept(axis)) is not None}
            if kept:
                return masked(func, arguments, kept)
        return super().compute(func, args, kwargs, arguments)

    def _kept(self, axis: Axis) -> Tensor | None:
        if not axis.any():
            return None
        lost = self._gone[self._original.find(axis)]
        return torch.from_numpy(np.flatnonzero(~lost)) if lost.any() else None


def _reduction(func: OpOverload, arguments: Arguments, kept: Kept) -> Any:
    """The result is the same size whatever goes in."""
    x = arguments["self"]
    dims = arguments.get("dim")
    dims = list(range(x.dim())) if dims is None or dims == [] else [dims] if isinstance(dims, int) else dims
    part = _select(x, {dim: kept[dim] for dim in (dim % x.dim() for dim in dims) if dim in kept})
    return _call(func, {**arguments, "self": part})


def _layer_norm(func: OpOverload, arguments: Arguments, kept: Kept) -> Any:
    x, shape = arguments["input"], arguments["normalized_shape"]
    first = x.dim() - len(shape)
    inner = {dim: index for dim, index in kept.items() if dim >= first}
    changed = {"input": _select(x, inner), "normalized_shape": list(_select(x, inner).shape[first:])}
    for name in ("weight", "bias"):
        if arguments.get(name) is not None:
            changed[name] = _select(arguments[name], {dim - first: index for dim, index in inner.items()})
    return _scattered(_call(func, {**arguments, **changed}), x, inner)


def _group_norm(func: OpOverload, arguments: Arguments, kept: Kept) -> Any:
    x = arguments["input"]
    inner = {1: kept[1]} if 1 in kept else {}
    part = _select(x, inner)
    changed = {"input": part, "C": part.shape[1]}
    for name in ("weight", "bias"):
        if arguments.get(name) is not None and inner:
            changed[name] = _select(arguments[name], {0: kept[1]})
    return _scattered(_call(func, {**arguments, **changed}), x, inner)


def _batch_norm(func: OpOverload, arguments: Arguments, kept: Kept) -> Any:
    """In training, as for standardised weights: all but dimension 1 is averaged over."""
    if not arguments.get("training"):
        return _call(func, arguments)
    x = arguments["input"]
    inner = {dim: index for dim, index in kept.items() if dim != 1}
    return _scattered(_call(func, {**arguments, "input": _select(x, inner)}), x, inner)


def _select(x: Tensor, kept: Kept) -> Tensor:
    for dim, index in kept.items():
        x = x.index_select(dim, index.to(x.device))
    return x


def _scattered(result: Any, x: Tensor, kept: Kept) -> Any:
    """The first output, zero where nothing was computed, and the others as they are."""
    out, *rest = result
    for dim, index in kept.items():
        shape = [*out.shape[:dim], x.shape[dim], *out.shape[dim + 1 :]]
        out = out.new_zeros(shape).index_copy(dim, index.to(x.device), out)
    return (out, *rest)


def _call(func: OpOverload, arguments: Arguments) -> Any:
    """Call an operator by the names of its schema."""
    schema = func._schema.arguments
    positional = [arguments[a.name] for a in schema if not a.kwarg_only]
    keywords = {a.name: arguments[a.name] for a in schema if a.kwarg_only}
    return func(*positional, **keywords)


MASKED: dict[str, Masked] = {
    **dict.fromkeys(("mean", "sum", "var", "std", "var_mean", "std_mean", "amax", "amin"), _reduction),
    "native_layer_norm": _layer_norm,
    "_fused_rms_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
}
"""What looks at all channels at once, and how it is made to look at those that remain."""

COUNTED = ("sum",)
"""Of these, the ones whose result the model's own code may go on to divide by the number of channels."""
