"""What rules ask of a node: sizes that are known, the module that it came from, and whether anybody else needs it."""

from typing import Any, TypeGuard

from torch import fx

from netwright_fusion.graph import is_tensor, operator_name, shape


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


def source(node: fx.Node) -> fx.Node:
    """A node's first argument."""
    first = node.args[0]
    assert isinstance(first, fx.Node)
    return first


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
