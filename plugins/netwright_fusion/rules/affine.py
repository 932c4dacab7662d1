"""Operators that scale or shift as one thing: x · scale + shift, with numbers or with tensors made of parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call, is_tensor, shape
from netwright_fusion.rules.matching import is_fixed, rank, same_sizes, source

aten = torch.ops.aten
Operand = float | fx.Node


@dataclass(frozen=True)
class Affine:
    """One operator that computes `source · scale + shift`.

    Attributes:
        scale: None for 1. A tensor is made of parameters and constants only.
        divides: Whether the scale is divided by, not multiplied with.
        shift: None for 0.
        subtracts: Whether the shift is subtracted, not added.
    """

    source: fx.Node
    scale: Operand | None = None
    divides: bool = False
    shift: Operand | None = None
    subtracts: bool = False

    @property
    def operand(self) -> Operand:
        """Whichever of scale and shift it has."""
        found = self.scale if self.scale is not None else self.shift
        assert found is not None
        return found

    @property
    def number(self) -> float | None:
        """The scale as a number to multiply with, or None where it is a tensor or absent."""
        if not isinstance(self.scale, int | float):
            return None
        if self.divides:
            return 1 / self.scale if self.scale else None
        return float(self.scale)


def affine_of(node: object) -> Affine | None:
    """The node as a scaling or a shift by numbers or parameters that keeps its input's shape and type, or None."""
    if not isinstance(node, fx.Node) or not is_tensor(node) or not dtype(node).is_floating_point:
        return None
    found = _affine(node)
    if found is None or not is_tensor(found.source) or dtype(found.source) != dtype(node):
        return None
    operand = found.operand
    if isinstance(operand, fx.Node) and torch.promote_types(dtype(operand), dtype(node)) != dtype(node):
        return None  # as weights or as a vector, it would make the result as wide as it is
    return found if same_sizes(found.source, node) and not is_fixed(found.source) else None


def _affine(node: fx.Node) -> Affine | None:
    if is_call(node, aten.neg.default):
        return Affine(source(node), scale=-1)
    if is_call(node, aten.mul.Tensor, aten.mul.Scalar):
        return _either(node, lambda x, operand: Affine(x, scale=operand))
    if is_call(node, aten.add.Tensor, aten.add.Scalar) and arguments(node)["alpha"] == 1:
        return _either(node, lambda x, operand: Affine(x, shift=operand))
    if is_call(node, aten.div.Tensor, aten.div.Scalar) and is_operand(node.args[1]):
        return Affine(source(node), scale=node.args[1], divides=True)
    if is_call(node, aten.sub.Tensor, aten.sub.Scalar) and arguments(node)["alpha"] == 1 and is_operand(node.args[1]):
        return Affine(source(node), shift=node.args[1], subtracts=True)
    return None


def _either(node: fx.Node, make: Callable[[fx.Node, Operand], Affine]) -> Affine | None:
    first, second = node.args[:2]
    for tensor, operand in ((first, second), (second, first)):
        if isinstance(tensor, fx.Node) and is_operand(operand):
            return make(tensor, operand)
    return None


def is_operand(value: object) -> TypeGuard[Operand]:
    """Whether a value is a number, or a tensor made of parameters and constants only."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return True
    return isinstance(value, fx.Node) and is_tensor(value) and is_fixed(value)


def scaled(graph: fx.Graph, node: fx.Node, affine: Affine, operand: Operand | None = None) -> fx.Node:
    """The node scaled or shifted as `affine` does, with its own operand or with another one in its place."""
    by = affine.operand if operand is None else operand
    if affine.scale is not None:
        return call(graph, aten.div.Tensor if affine.divides else aten.mul.Tensor, node, by)
    return call(graph, aten.sub.Tensor if affine.subtracts else aten.add.Tensor, node, by)


def along(operand: Operand, dims: int, dim: int) -> bool:
    """Whether an operand is a number, or varies along one dimension of a tensor of `dims` dimensions only."""
    if not isinstance(operand, fx.Node):
        return True
    sizes = shape(operand)
    offset = dims - len(sizes)
    return offset >= 0 and all(size == 1 for index, size in enumerate(sizes) if index + offset != dim)


def column(graph: fx.Graph, operand: Operand, dims: int, dim: int = 0) -> Operand:
    """A vector set up along one dimension of `dims`, the others of size 1."""
    if not isinstance(operand, fx.Node) or rank(operand) == dims == 1:
        return operand
    sizes = [1] * dims
    sizes[dim] = -1
    return call(graph, aten.reshape.default, operand, sizes)
