"""Expressions over a model's description: paths, and arithmetic on them, evaluated without running any code."""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netwright_predictor.population.evidence import own_value
from netwright_predictor.structure.node import StructureNode

LONGEST = 500
"""Letters of an expression."""
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "abs": abs, "int": int, "len": len, "sum": sum}


class ExpressionError(ValueError):
    """An expression cannot be read, or names what is not there; the message is for its writer to read."""


@dataclass(frozen=True)
class Evaluated:
    """The value of an expression.

    Attributes:
        paths: What it was read from; empty for an expression of bare numbers.
        is_path: Whether it is a single path, without arithmetic.
    """

    value: Any
    paths: tuple[str, ...]
    is_path: bool


@dataclass(frozen=True)
class Described:
    """What expressions may speak of, by the name that they open with.

    `config.text_config.hidden_size` (or without "config."), `structure["model.layers.0.mlp"].in_features`,
    `architecture["model.decoder_layer"].repeat`, `runtime_parameters.B`, `parameters.head_dim`.
    """

    config: Mapping[str, Any]
    runtime_parameters: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    structure: StructureNode | None = None
    architecture: StructureNode | None = None

    def evaluate(self, text: str) -> Evaluated:
        """The value of an expression.

        Raises:
            ExpressionError: It has none.
        """
        place = self._place(text)
        if place is not None:
            return Evaluated(place, (text,), is_path=True)
        if len(text) > LONGEST:
            raise ExpressionError(f"it is longer than {LONGEST} letters")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError):
            raise ExpressionError(f"'{text}' is neither a path nor a formula") from None
        paths: list[str] = []
        value = self._value(tree, paths)
        return Evaluated(value, tuple(dict.fromkeys(paths)), is_path=isinstance(tree, ast.Name | ast.Attribute))

    def _place(self, text: str) -> object | None:
        """An argument in the structure by its plain path, which is no Python where it holds a range of layers."""
        path, _, name = text.removeprefix("structure.").rpartition(".")
        node = self.structure.find(path) if self.structure is not None else None
        found = own_value(name, node) if node is not None else None
        return found[0] if found else None

    def _value(self, tree: ast.expr, paths: list[str]) -> Any:
        match tree:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._apply(operator.neg, [self._number(operand, paths)], tree)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return self._apply(OPERATORS[type(op)], [self._number(left, paths), self._number(right, paths)], tree)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                return self._apply(FUNCTIONS[name], [self._value(each, paths) for each in arguments], tree)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                value = self._look_up(tree)
                paths.append(ast.unparse(tree).removeprefix("config."))
                return value
        raise ExpressionError(
            f"'{ast.unparse(tree)}' is not allowed: use paths, numbers, + - * / // % and {', '.join(FUNCTIONS)}"
        )

    def _number(self, tree: ast.expr, paths: list[str]) -> int | float:
        value = self._value(tree, paths)
        if not isinstance(value, int | float):  # a text times a million is not what a formula is for
            raise ExpressionError(f"'{ast.unparse(tree)}' is no number, so nothing can be computed with it")
        return value

    def _apply(self, function: Callable[..., Any], values: list[Any], tree: ast.expr) -> Any:
        try:
            return function(*values)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ExpressionError(f"'{ast.unparse(tree)}' cannot be computed: {error}") from None

    def _look_up(self, tree: ast.expr) -> Any:
        keys = _keys(tree)
        roots = {
            name: getattr(self, name) for name in ("runtime_parameters", "parameters", "structure", "architecture")
        }
        root = roots.get(str(keys[0]))
        if keys[0] == "config":
            return _walk(self.config, keys[1:], tree)
        if root is not None and keys[0] not in self.config:
            return _walk(root, keys[1:], tree)
        if keys[0] not in self.config and keys[0] in self.parameters:
            return _walk(self.parameters, keys, tree)
        return _walk(self.config, keys, tree)


def _keys(tree: ast.expr) -> list[str | int]:
    match tree:
        case ast.Name(id=name):
            return [name]
        case ast.Attribute(value=value, attr=name):
            return [*_keys(value), name]
        case ast.Subscript(value=value, slice=ast.Constant(value=str() | int() as key)):
            return [*_keys(value), key]
    raise ExpressionError(f"'{ast.unparse(tree)}' is no path")


def _walk(value: Any, keys: Sequence[str | int], tree: ast.expr) -> Any:
    for key in keys:
        value = _step(value, key, tree)
    if value is None or isinstance(value, StructureNode):
        raise ExpressionError(f"'{ast.unparse(tree)}' has no value")
    return value


def _step(value: Any, key: str | int, tree: ast.expr) -> Any:
    if isinstance(value, StructureNode) and isinstance(key, str):
        if key == "repeat":
            return value.repeat
        own = own_value(key, value)
        value = {key: own[0] if own else value.find(key)}
    try:
        return value[key]
    except (KeyError, IndexError, TypeError):
        raise ExpressionError(f"there is no '{ast.unparse(tree)}': '{key}' is not there") from None
