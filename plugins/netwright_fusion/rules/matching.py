"""What rules ask of a node: sizes that are known, the module that it came from, and whether anybody else needs it."""

from typing import Any, TypeGuard

import torch
from torch import fx
from torch.fx.experimental.symbolic_shapes import statically_known_true

from netwright_fusion.graph import dtype, from_parameters, is_call, is_tensor, operator_name, shape, value

aten = torch.ops.aten
FIXED = "fixed"
"""In a node's `meta`: whether it depends on parameters, buffers and constants only."""


def is_fixed(node: object) -> bool:
    """Whether a value depends on parameters, buffers and constants only, remembered per node (see `remember_fixed`)."""
    remembered = node.meta.get(FIXED) if isinstance(node, fx.Node) else None
    return from_parameters(node) if remembered is None else bool(remembered)


def remember_fixed(graph: fx.GraphModule) -> None:
    """Note of every node that has no such note whether it depends on parameters, buffers and constants only."""
    for node in graph.graph.nodes:
        if FIXED not in node.meta:
            sources = node.all_input_nodes
            plain = node.op == "call_function" and sources and all(FIXED in each.meta for each in sources)
            if plain and not all(each.meta[FIXED] for each in sources):
                node.meta[FIXED] = False
            else:
                node.meta[FIXED] = node.op != "output" and from_parameters(node)


def known(size: Any) -> TypeGuard[int]:
    """Whether a size is a number for every batch."""
    return isinstance(size, int)


def size_of(node: fx.Node, dim: int) -> int | None:
    """A size that is a number for every batch, or None."""
    size = shape(node)[dim]
    return size if known(size) else None


def rank(node: fx.Node) -> int:
    """How many dimensions a node's tensor has."""
    return len(shape(node))


def same_sizes(one: fx.Node, other: fx.Node) -> bool:
    """Whether two tensors have the same sizes for every batch."""
    sizes, others = shape(one), shape(other)
    return len(sizes) == len(others) and all(
        statically_known_true(size == other_size) for size, other_size in zip(sizes, others, strict=True)
    )


def shares_memory(one: fx.Node, other: fx.Node) -> bool:
    """Whether two tensors lie in the same memory."""
    return bool(value(one).untyped_storage()._cdata == value(other).untyped_storage()._cdata)


def is_fresh(node: fx.Node) -> bool:
    """Whether a call's result is memory of its own, not a view of an argument's."""
    tensors = [each for each in node.all_input_nodes if is_tensor(each)]
    return node.op == "call_function" and not any(shares_memory(node, each) for each in tensors)


def may_stand_for(source: fx.Node, node: fx.Node) -> bool:
    """Whether everything that uses a node may use its equal `source` instead: no output may come to share memory."""
    if dtype(source) != dtype(node) or not same_sizes(source, node):
        return False
    if not is_fresh(node):
        return True
    kept = any(user.op == "output" or (is_tensor(user) and shares_memory(user, node)) for user in node.users)
    return not kept or (is_fresh(source) and len(source.users) == 1)


def source(node: fx.Node) -> fx.Node:
    """A node's first argument."""
    first = node.args[0]
    assert isinstance(first, fx.Node)
    return first


def unexpanded(node: fx.Node) -> fx.Node:
    """What a node repeats along dimensions of size 1; the node itself where it repeats nothing."""
    while is_call(node, aten.expand.default, aten.expand_as.default):
        node = source(node)
    return node


def has_one_user(node: object) -> TypeGuard[fx.Node]:
    """Whether a value is a tensor computed by a call that exactly one other node uses."""
    return isinstance(node, fx.Node) and node.op == "call_function" and is_tensor(node) and len(node.users) == 1


def label(node: fx.Node) -> str:
    """How a site names a node: its operator, and the module whose weight it takes, as in "linear 'fc'"."""
    for argument in node.all_input_nodes:
        if argument.op == "get_attr" and str(argument.target).endswith((".weight", ".bias")):
            return f"{operator_name(node)} '{str(argument.target).rpartition('.')[0]}'"
    return operator_name(node)


def per_dim(value: int | list[int] | tuple[int, ...], count: int) -> tuple[int, ...]:
    """An argument such as a stride for each of `count` dimensions: one number stands for all."""
    if isinstance(value, int):
        return (value,) * count
    return tuple(value) * count if len(value) == 1 else tuple(value)


def positive(dim: int, dims: int) -> int:
    """A dimension counted from the front."""
    return dim + dims if dim < 0 else dim
