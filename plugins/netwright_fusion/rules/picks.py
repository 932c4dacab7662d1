"""Picks: a slice or selection of one dimension as one thing, and how the same pick is taken of an operator's inputs.

For each operator that computes the elements of a dimension one by one, or from a few neighbours, a function says what
to compute instead where only some of them are picked.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import fx
from torch.fx.experimental.symbolic_shapes import statically_known_true

from netwright_fusion.graph import arguments, call, dtype, is_call, is_tensor, names, operator_name, shape
from netwright_fusion.rules.convolution import convolution_of, convolve, padded
from netwright_fusion.rules.einsum_as_product import subscripts
from netwright_fusion.rules.identity import permutation_of
from netwright_fusion.rules.matching import known, positive, rank, size_of, source
from netwright_fusion.rules.reduction import reduce, reduction_of

aten = torch.ops.aten
Build = Callable[[fx.Graph], fx.Node]
POINTWISE = names(
    """abs add addcdiv addcmul atan celu ceil clamp clamp_max clamp_min clone contiguous cos div dropout elu erf exp
    expm1 floor gelu hardsigmoid hardswish hardtanh leaky_relu log log1p log_sigmoid masked_fill maximum minimum
    mish mul neg pow reciprocal relu relu6 round rsqrt rsub selu sigmoid sign silu sin softplus sqrt square sub tanh
    threshold to where eq ne lt le gt ge logical_not logical_and logical_or bitwise_not bitwise_and bitwise_or"""
)
ROUNDED = names("linear matmul mm bmm conv1d conv2d conv3d")
"""Operators whose results are sums themselves, and not exact."""
FEWER = 2
"""How many times fewer outputs a convolution must have, for its borders to be padded apart."""


@dataclass(frozen=True)
class Pick:
    """Elements start, start + step, … of one dimension.

    Attributes:
        count: How many.
    """

    dim: int
    start: int
    count: int
    step: int = 1

    @property
    def end(self) -> int:
        """One more than the last element."""
        return self.start + self.step * (self.count - 1) + 1

    def of(self, graph: fx.Graph, node: fx.Node) -> fx.Node:
        """The pick of a node."""
        step = () if self.step == 1 else (self.step,)
        return call(graph, aten.slice.Tensor, node, self.dim, self.start, self.end, *step)


def pick_of(node: fx.Node) -> Pick | None:
    """The node as a pick of its first argument, or None; one element that was selected counts as a slice of 1."""
    if not is_call(node, aten.slice.Tensor, aten.select.int) or not is_tensor(node.args[0]):
        return None
    given, whole = arguments(node), source(node)
    dim = positive(given["dim"], rank(whole))
    size = size_of(whole, dim)
    if size is None:
        return None
    if is_call(node, aten.select.int):
        return Pick(dim, positive(given["index"], size), 1) if known(given["index"]) else None
    start, end, step = given["start"] or 0, size if given["end"] is None else given["end"], given["step"]
    if not (known(start) and known(end) and known(step)):
        return None
    taken = range(size)[start:end:step]
    return Pick(dim, taken.start, len(taken), step) if taken else None


def picked_inside(node: fx.Node, pick: Pick) -> Build | None:
    """What to compute in place of a node of which only a pick is wanted; None where all of its inputs are needed."""
    name = operator_name(node)
    if name in POINTWISE:
        return _pointwise(node, pick)
    if permutation_of(node) is not None:
        return _permutation(node, pick)
    if reduction_of(node) is not None:
        return _reduction(node, pick)
    if convolution_of(node) is not None:
        return _convolution(node, pick)
    handler = _HANDLERS.get(name)
    return handler(node, pick) if handler else None


def _with(node: fx.Node, pick: Pick, **dims: int) -> Build:
    """The same call with the pick taken of some of its arguments, along the dimension given for each."""

    def build(graph: fx.Graph) -> fx.Node:
        given = dict(arguments(node))
        for key, dim in dims.items():
            given[key] = replace(pick, dim=dim).of(graph, given[key])
        return _again(graph, node, given)

    return build


def _again(graph: fx.Graph, node: fx.Node, given: dict[str, Any]) -> fx.Node:
    schema = node.target._schema  # type: ignore[union-attr]
    named = {each.name for each in schema.arguments if each.kwarg_only}
    return call(
        graph,
        node.target,  # type: ignore[arg-type]
        *[value for key, value in given.items() if key not in named],
        **{key: value for key, value in given.items() if key in named and key in node.kwargs},
    )


def _pointwise(node: fx.Node, pick: Pick) -> Build | None:
    dims, size = {}, shape(node)[pick.dim]
    for key, operand in arguments(node).items():
        if is_tensor(operand):
            dim = pick.dim - rank(node) + rank(operand)
            if dim >= 0 and not statically_known_true(shape(operand)[dim] == 1):
                dims[key] = dim
    if not all(statically_known_true(shape(arguments(node)[key])[dim] == size) for key, dim in dims.items()):
        return None
    return _with(node, pick, **dims) if dims else None


def _permutation(node: fx.Node, pick: Pick) -> Build | None:
    order = permutation_of(node)
    first = next(iter(arguments(node)))
    return _with(node, pick, **{first: order[pick.dim]}) if order else None


def _reduction(node: fx.Node, pick: Pick) -> Build | None:
    found = reduction_of(node)
    assert found is not None
    every = range(rank(found.source))
    dim = pick.dim if found.keepdim else [each for each in every if each not in found.dims][pick.dim]
    if dim in found.dims:
        return None

    def build(graph: fx.Graph) -> fx.Node:
        part = replace(pick, dim=dim).of(graph, found.source)
        return reduce(graph, found.kind, part, found.dims, keepdim=found.keepdim)

    return build


def _convolution(node: fx.Node, pick: Pick) -> Build | None:
    """y[s o + d k - p] for the outputs picked: of another stride, and of a part of the input."""
    conv = convolution_of(node)
    assert conv is not None
    index = pick.dim - 2
    if conv.transposed or index < 0 or FEWER * pick.count > conv.spatial_out[index]:
        return None
    stride, size = conv.stride[index], conv.spatial_in[index]
    first = stride * pick.start - conv.padding[index]
    last = stride * (pick.end - 1) - conv.padding[index] + conv.dilation[index] * (conv.kernel[index] - 1)
    if first >= size or last < 0:
        return None

    def build(graph: fx.Graph) -> fx.Node:
        sides = [(-first, last + 1 - size) if each == index else (0, 0) for each in range(conv.spatial)]
        strides = [stride * pick.step if each == index else conv.stride[each] for each in range(conv.spatial)]
        pads = [0 if each == index else conv.padding[each] for each in range(conv.spatial)]
        return convolve(
            graph,
            padded(graph, conv.source, sides),
            conv.weight,
            conv.bias,
            stride=tuple(strides),
            padding=tuple(pads),
            dilation=conv.dilation,
            groups=conv.groups,
        )

    return build


def _linear(node: fx.Node, pick: Pick) -> Build | None:
    rows = pick.dim < rank(node) - 1 and rank(arguments(node)["weight"]) == 2
    return _with(node, pick, input=pick.dim) if rows else None


def _norm(node: fx.Node, pick: Pick) -> Build | None:
    given = arguments(node)
    return _with(node, pick, input=pick.dim) if pick.dim < rank(node) - len(given["normalized_shape"]) else None


def _softmax(node: fx.Node, pick: Pick) -> Build | None:
    along = positive(arguments(node)["dim"], rank(node))
    return _with(node, pick, self=pick.dim) if pick.dim != along else None


def _flip(node: fx.Node, pick: Pick) -> Build | None:
    """The elements as far from the other end, in the other order."""
    if pick.dim not in {positive(dim, rank(node)) for dim in arguments(node)["dims"]}:
        return _with(node, pick, self=pick.dim)
    size = size_of(node, pick.dim)
    return None if size is None else _with(node, replace(pick, start=size - pick.end), self=pick.dim)


def _running_sum(node: fx.Node, pick: Pick) -> Build | None:
    """One running sum is the sum of the elements up to there; the first few need none of those behind them.

    PyTorch adds up running sums of float32 in float64 on the CPU, which a sum does when told to. Where a product made
    the terms, their own errors are as large as what that saves, and rules for sums of products apply to a plain sum.
    """
    given, size = arguments(node), size_of(node, pick.dim)
    if pick.dim != positive(given["dim"], rank(node)):
        return _with(node, pick, self=pick.dim)
    if pick.count > 1 and pick.end == size:
        return None

    def build(graph: fx.Graph) -> fx.Node:
        part = given["self"] if pick.end == size else Pick(pick.dim, 0, pick.end).of(graph, given["self"])
        if pick.count > 1:
            return pick.of(graph, _again(graph, node, {**given, "self": part}))
        precise = dtype(node) is torch.float32 and operator_name(given["self"]) not in ROUNDED
        kind = torch.float64 if precise else dtype(node)
        total = call(graph, aten.sum.dim_IntList, part, [pick.dim], True, dtype=kind)
        return total if kind is dtype(node) else call(graph, aten.to.dtype, total, dtype(node))

    return build


def _matmul(node: fx.Node, pick: Pick) -> Build | None:
    left, right = list(arguments(node))[:2]
    ranks = [rank(arguments(node)[key]) for key in (left, right)]
    if min(ranks) < 2:
        return None
    if pick.dim == rank(node) - 2:
        return _with(node, pick, **{left: ranks[0] - 2})
    return _with(node, pick, **{right: ranks[1] - 1}) if pick.dim == rank(node) - 1 else None


def _attention(node: fx.Node, pick: Pick) -> Build | None:
    """Some queries only; a causal mask leaves every key to the last query."""
    given = arguments(node)
    if pick.dim != rank(node) - 2:
        return None
    mask, queries = given["attn_mask"], size_of(node, pick.dim)
    last = pick.count == 1 and pick.start + 1 == queries == size_of(given["key"], rank(given["key"]) - 2)
    if given["is_causal"] and not last:
        return None
    dims = {"query": rank(given["query"]) - 2}
    if mask is not None and (rank(mask) < 2 or not known(shape(mask)[-2])):
        return None
    if mask is not None and shape(mask)[-2] != 1:
        dims["attn_mask"] = rank(mask) - 2

    def build(graph: fx.Graph) -> fx.Node:
        parts = {key: replace(pick, dim=dim).of(graph, given[key]) for key, dim in dims.items()}
        return _again(graph, node, {**given, **parts, "is_causal": False})

    return build


def _reshape(node: fx.Node, pick: Pick) -> Build | None:
    """A dimension that a view keeps: it has the same size, and as many elements before it."""
    if not isinstance(node.args[1], list | tuple):
        return None
    image, sizes = source(node), list(node.args[1])
    before = prod(shape(node)[: pick.dim])
    for dim in range(rank(image)):
        kept = known(shape(image)[dim]) and shape(image)[dim] == shape(node)[pick.dim]
        if kept and statically_known_true(prod(shape(image)[:dim]) == before):
            return lambda graph, dim=dim: call(  # type: ignore[misc]
                graph,
                aten.reshape.default,
                replace(pick, dim=dim).of(graph, image),
                [pick.count if index == pick.dim else size for index, size in enumerate(sizes)],
            )
    return None


def _flatten(node: fx.Node, pick: Pick) -> Build | None:
    given = arguments(node)
    image = given["self"]
    first, last = (positive(given[key], rank(image)) for key in ("start_dim", "end_dim"))
    if pick.dim == first or last <= first:
        return None
    return _with(node, pick, self=pick.dim if pick.dim < first else pick.dim + last - first)


def _unsqueeze(node: fx.Node, pick: Pick) -> Build | None:
    new = positive(arguments(node)["dim"], rank(node))
    return _with(node, pick, self=pick.dim - (pick.dim > new)) if pick.dim != new else None


def _slice(node: fx.Node, pick: Pick) -> Build | None:
    inner = pick_of(node)
    if inner is None or not is_call(node, aten.slice.Tensor) or inner.dim != pick.dim:
        return None
    both = replace(pick, start=inner.start + inner.step * pick.start, step=inner.step * pick.step)
    return lambda graph: both.of(graph, source(node))


def _pad(node: fx.Node, pick: Pick) -> Build | None:
    given = arguments(node)
    image, pads = given["self"], list(given["pad"])
    position = 2 * (rank(node) - 1 - pick.dim)
    if given.get("mode", "constant") != "constant" or not all(known(pad) and pad >= 0 for pad in pads):
        return None
    if position >= len(pads):
        return _with(node, pick, self=pick.dim)
    size = size_of(image, pick.dim)
    start, end = pick.start - pads[position], pick.end - pads[position]
    if size is None or pick.step != 1 or start >= size or end <= 0:
        return None
    pads[position : position + 2] = max(-start, 0), max(end - size, 0)
    start, end = max(start, 0), min(end, size)

    def build(graph: fx.Graph) -> fx.Node:
        part = Pick(pick.dim, start, end - start).of(graph, image)
        return _again(graph, node, {**given, "self": part, "pad": pads}) if any(pads) else part

    return build


def _cat(node: fx.Node, pick: Pick) -> Build | None:
    given = arguments(node)
    dim, tensors = positive(given["dim"], rank(node)), given["tensors"]
    if any(rank(each) != rank(node) for each in tensors):
        return None
    if dim != pick.dim:
        return lambda graph: call(graph, aten.cat.default, [pick.of(graph, each) for each in tensors], dim)
    start = 0
    for each in tensors:
        size = size_of(each, dim)
        if size is None:
            return None
        if start <= pick.start and pick.end <= start + size:
            part = replace(pick, start=pick.start - start)
            return lambda graph, each=each: part.of(graph, each)  # type: ignore[misc]
        start += size
    return None


def _embedding(node: fx.Node, pick: Pick) -> Build | None:
    return _with(node, pick, indices=pick.dim) if pick.dim < rank(node) - 1 else None


def _batch_norm(node: fx.Node, pick: Pick) -> Build | None:
    given = arguments(node)
    return _with(node, pick, input=pick.dim) if pick.dim > 1 and not given["training"] else None


def _einsum(node: fx.Node, pick: Pick) -> Build | None:
    """The pick of every operand that has the dimension's index."""
    found = subscripts(node)
    if found is None:
        return None
    (terms, output), given = found, arguments(node)

    def build(graph: fx.Graph) -> fx.Node:
        parts = [
            replace(pick, dim=term.index(output[pick.dim])).of(graph, each) if output[pick.dim] in term else each
            for term, each in zip(terms, given["tensors"], strict=True)
        ]
        return _again(graph, node, {**given, "tensors": parts})

    return build


_HANDLERS: dict[str, Callable[[fx.Node, Pick], Build | None]] = {
    "linear": _linear,
    "layer_norm": _norm,
    "rms_norm": _norm,
    "batch_norm": _batch_norm,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "einsum": _einsum,
    "flip": _flip,
    "cumsum": _running_sum,
    "matmul": _matmul,
    "mm": _matmul,
    "bmm": _matmul,
    "scaled_dot_product_attention": _attention,
    "view": _reshape,
    "reshape": _reshape,
    "_unsafe_view": _reshape,
    "flatten": _flatten,
    "unsqueeze": _unsqueeze,
    "slice": _slice,
    "pad": _pad,
    "cat": _cat,
    "embedding": _embedding,
}
