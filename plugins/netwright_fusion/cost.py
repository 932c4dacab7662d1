"""What a graph's nodes cost: FLOPs, bytes moved, and the time that they take at least on a machine."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from netwright_fusion.graph import arguments, from_parameters, is_helper, names, operator_name, size_hint

VIEWS = names(
    """alias chunk detach expand expand_as flatten getitem movedim narrow permute real reshape select slice
    split split_with_sizes squeeze swapaxes swapdims t tensor_split transpose unbind unflatten unfold unsqueeze view
    view_as sym_size sym_stride sym_numel lift_fresh"""
)
"""Operators that move nothing, or only where memory is not dense already."""


@dataclass(frozen=True)
class Cost:
    """What something costs per call, at the sizes that the graph was captured with.

    Attributes:
        flops: 2 per multiply-accumulate of products, convolutions, attention and recurrent layers; as everywhere in
            netwright, elementwise operators, norms and reductions count nothing.
        bytes: Read and written by the operators one by one, as if no cache kept anything between them.
    """

    flops: int = 0
    bytes: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.flops + other.flops, self.bytes + other.bytes)


@dataclass(frozen=True)
class Machine:
    """The roofline of a machine.

    Attributes:
        flops_per_s: Of a large matrix product.
        bytes_per_s: Read and written by a large copy.
    """

    flops_per_s: float
    bytes_per_s: float

    def floor_ms(self, cost: Cost) -> float:
        """The least time for that many FLOPs and bytes, done at the same time (Williams et al. 2009, roofline)."""
        return 1e3 * max(cost.flops / self.flops_per_s, cost.bytes / self.bytes_per_s)


def measure_machine(device: str = "cpu", dtype: torch.dtype = torch.float32, working_set: int = 1 << 26) -> Machine:
    """This machine's roofline, measured in well under a second.

    Args:
        working_set: Bytes that a copy goes through; beyond the caches, it shows main memory's bandwidth.
    """
    from netwright.harness.clock import Clock
    from netwright.harness.machine import bandwidth, peak_rate

    place = torch.device(device)
    clock = Clock()
    clock.bind(place)
    return Machine(peak_rate(dtype, place, clock), bandwidth(working_set, place, clock))


def node_cost(node: fx.Node) -> Cost:
    """What one node costs; nothing where it is no call, or only looks at memory in another way."""
    kernel = node.meta.get("kernel")
    if node.op != "call_function" or operator_name(node) in VIEWS or _is_disabled_dropout(node):
        return Cost()
    moved = _bytes(node.meta.get("val")) + sum(_bytes(source.meta.get("val")) for source in node.all_input_nodes)
    if kernel is not None:
        return Cost(graph_cost(kernel.reference).flops, moved)
    return Cost(_flops(node), moved)


def graph_cost(graph: fx.GraphModule) -> Cost:
    """What one call of a graph costs; what depends on parameters only is computed once, and not counted."""
    return sum_costs(node for node in graph.graph.nodes if not from_parameters(node))


def sum_costs(nodes: Iterable[fx.Node]) -> Cost:
    """What nodes cost together."""
    return sum((node_cost(node) for node in nodes), Cost())


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        strides = value.stride() if value.layout == torch.strided else ()
        repeated = {index for index, stride in enumerate(strides) if isinstance(stride, int) and stride == 0}
        sizes = [size_hint(size) for index, size in enumerate(value.shape) if index not in repeated]
        return math.prod(sizes) * value.element_size()
    return sum(_bytes(item) for item in value) if isinstance(value, (list, tuple)) else 0


def _is_disabled_dropout(node: fx.Node) -> bool:
    return operator_name(node) == "dropout" and not arguments(node)["train"]


def _flops(node: fx.Node) -> int:
    formula = _FORMULAS.get(operator_name(node))
    if formula is None or not (hasattr(node.target, "_schema") or is_helper(node)):
        return 0
    return formula(arguments(node), node.meta["val"])


def _sizes(value: Any) -> tuple[int, ...]:
    """The sizes of a node's or a fake's tensor as they were when the graph was captured."""
    tensor = value.meta["val"] if isinstance(value, fx.Node) else value
    return tuple(size_hint(size) for size in tensor.shape)


def _product(left: str) -> Callable[[dict[str, Any], Any], int]:
    """Of a matrix product whose left operand's last size is summed over."""
    return lambda given, out: 2 * math.prod(_sizes(out)) * (_sizes(given[left]) or (1,))[-1]


def _convolution(given: dict[str, Any], out: Any) -> int:
    weight = _sizes(given["weight"])
    places = _sizes(given["input"]) if given.get("transposed") else _sizes(out)
    return 2 * math.prod(places) * math.prod(weight[1:])


def _transposed_convolution(given: dict[str, Any], out: Any) -> int:  # noqa: ARG001 - all formulas are called alike
    return 2 * math.prod(_sizes(given["input"])) * math.prod(_sizes(given["weight"])[1:])


def _tiles(given: dict[str, Any], out: Any) -> int:
    """Of the matrix products between the transforms, which only add."""
    count, *spatial = _sizes(out)[:1] + _sizes(out)[2:]
    tiles = [-(-size // (7 - reach)) for size, reach in zip(spatial[-2:], given["kernel"][-2:], strict=True)]
    return 2 * math.prod([count, *spatial[:-2], *tiles]) * math.prod(_sizes(given["weight"]))


def _attention(given: dict[str, Any], out: Any) -> int:  # noqa: ARG001 - all formulas are called alike
    query, key, value = (_sizes(given[name]) for name in ("query", "key", "value"))
    return 2 * math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _recurrent(given: dict[str, Any], out: Any) -> int:  # noqa: ARG001 - all formulas are called alike
    weights = [_sizes(each) for each in given["params"]]
    places = math.prod(_sizes(given["input"])[:-1])
    return 2 * places * sum(math.prod(weight) for weight in weights if len(weight) == 2)


def contraction(terms: Sequence[str], output: str, sizes: Mapping[str, int]) -> int:
    """Multiplications of an einsum whose operands are contracted one after the other.

    Args:
        terms: Each operand's indices.
        sizes: By index.
    """
    total, open_indices = 0, {*terms[0]}
    for number, term in enumerate(terms[1:], start=2):
        total += math.prod(sizes[index] for index in open_indices | {*term})
        open_indices = (open_indices | {*term}) & {*output, *"".join(terms[number:])}
    return total


def _einsum(given: dict[str, Any], out: Any) -> int:
    """As if operands were contracted in the order given; sums of one operand count nothing."""
    inputs, arrow, output = str(given["equation"]).replace(" ", "").partition("->")
    terms = inputs.split(",")
    operands: Sequence[Any] = given["tensors"]
    if len(terms) < 2 or "." in given["equation"]:
        return 2 * math.prod(_sizes(out)) * _sizes(operands[0])[-1] if len(operands) > 1 else 0
    if not arrow:
        output = "".join(index for index in sorted({*inputs} - {","}) if inputs.count(index) == 1)
    sizes = {
        label: size
        for term, operand in zip(terms, operands, strict=True)
        for label, size in zip(term, _sizes(operand), strict=True)
    }
    return 2 * contraction(terms, output, sizes)


def _bilinear(given: dict[str, Any], out: Any) -> int:
    return 2 * math.prod(_sizes(out)) * math.prod(_sizes(given["weight"])[1:])


_FORMULAS: dict[str, Callable[[dict[str, Any], Any], int]] = {
    "linear": _product("input"),
    "matmul": _product("self"),
    "mm": _product("self"),
    "bmm": _product("self"),
    "mv": _product("self"),
    "dot": _product("self"),
    "vdot": _product("self"),
    "inner": _product("self"),
    "addmm": _product("mat1"),
    "baddbmm": _product("batch1"),
    "addbmm": lambda given, out: _product("batch1")(given, out) * _sizes(given["batch1"])[0],
    "addmv": _product("mat"),
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "convolution": _convolution,
    "conv_transpose1d": _transposed_convolution,
    "conv_transpose2d": _transposed_convolution,
    "conv_transpose3d": _transposed_convolution,
    "convolution_by_tiles": _tiles,
    "scaled_dot_product_attention": _attention,
    "lstm": _recurrent,
    "gru": _recurrent,
    "rnn_tanh": _recurrent,
    "rnn_relu": _recurrent,
    "einsum": _einsum,
    "bilinear": _bilinear,
}
"""FLOPs of operators that multiply and add, from their arguments and their fake result; pure functions of sizes."""
