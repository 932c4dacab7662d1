"""The arguments of a forward: its signature, the expressions of its tensors, and when a graph holds for them."""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx, nn

from netwright_fusion.capture import Captured
from netwright_fusion.emission.errors import EmissionError
from netwright_fusion.graph import shape


@dataclass(frozen=True)
class Arguments:
    """What a generated forward takes.

    Attributes:
        signature: The text between the parentheses, `self` included.
        passed: The same arguments handed on, as in `super().forward(x, y=y)`.
        names: Names of the parameters.
        tensors: Per placeholder of the graph, the expression of its tensor.
        conditions: Expressions that must all be true for the graph to hold.
        expected: What the conditions ask for, in words.
    """

    signature: str
    passed: str
    names: tuple[str, ...]
    tensors: Mapping[fx.Node, str]
    conditions: tuple[str, ...]
    expected: str


def arguments_of(captured: Captured, module: nn.Module, *, own_signature: bool) -> Arguments:
    """The arguments of the forward of a captured module.

    Args:
        own_signature: Whether to keep the forward's signature whole; else it takes what it was captured with.

    Raises:
        EmissionError: An argument cannot be told by an expression.
    """
    signature = inspect.signature(module.forward)
    bound = signature.bind(*captured.inputs.args, **captured.inputs.kwargs)
    text = signature_text(module) if own_signature else None
    if text is None:
        text = ", ".join(["self", *_captured_parameters(signature, bound)])
    leaves = [pair for name, value in bound.arguments.items() for pair in _walk(name, value)]
    tensors = [(expression, leaf) for expression, leaf in leaves if isinstance(leaf, Tensor)]
    placeholders = list(captured.graph.graph.find_nodes(op="placeholder"))
    if len(placeholders) != len(tensors):
        raise EmissionError(f"{len(tensors)} tensors are given, and the graph takes {len(placeholders)}")
    found = {node: expression for node, (expression, _) in zip(placeholders, tensors, strict=True)}
    conditions = [text for name, value in bound.arguments.items() for text in _built(name, value)]
    conditions += [
        f"{name} is not None"
        for name, value in bound.arguments.items()
        if isinstance(value, Tensor) and signature.parameters[name].default is None
    ]
    conditions += [*_fixed(leaves), *_same_objects(tensors)]
    for node, expression in found.items():
        conditions += _tensor_conditions(node, expression)
    guards = [_translate(guard, found) for guard in captured.guards]
    one_is_fine = not own_signature or any(leaf.dim() and leaf.shape[0] == 1 for _, leaf in tensors)
    conditions += [guard for guard in guards if not (one_is_fine and guard.endswith(".shape[0] > 1"))]
    shapes = ", ".join(
        f"{expression} of shape {_shape_text(node)} in {str(node.meta['val'].dtype).removeprefix('torch.')}"
        for node, expression in found.items()
    )
    mode = "train" if captured.training else "eval"
    return Arguments(
        signature=text,
        passed=handed_on(text),
        names=tuple(signature.parameters),
        tensors=found,
        conditions=tuple(dict.fromkeys(conditions)),
        expected=f"{shapes}, in {mode} mode",
    )


def signature_text(module: nn.Module) -> str | None:
    """The forward's parameters as they stand in its source, without annotations; the first one is called `self`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(type(module).forward)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None
    function = tree.body[0]
    if not isinstance(function, ast.FunctionDef):
        return None
    spec = function.args
    for own in (*spec.posonlyargs, *spec.args)[:1]:
        own.arg = "self"
    for argument in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg):
        if argument is not None:
            argument.annotation = None
    return ast.unparse(spec)


def _captured_parameters(signature: inspect.Signature, bound: inspect.BoundArguments) -> Iterator[str]:
    starred = False
    for name in bound.arguments:
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            starred = True
            yield f"*{name}"
        elif kind is inspect.Parameter.VAR_KEYWORD:
            yield f"**{name}"
        else:
            keyword_only = name in bound.kwargs and not starred
            starred = starred or keyword_only
            yield f"*, {name}" if keyword_only else name


def handed_on(text: str) -> str:
    """The arguments of a signature as a call hands them on."""
    function = ast.parse(f"def forward({text}): ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    spec = function.args
    parts = [argument.arg for argument in (*spec.posonlyargs, *spec.args)][1:]
    parts += [f"*{spec.vararg.arg}"] if spec.vararg else []
    parts += [f"{argument.arg}={argument.arg}" for argument in spec.kwonlyargs]
    parts += [f"**{spec.kwarg.arg}"] if spec.kwarg else []
    return ", ".join(parts)


def _walk(expression: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _walk(f"{expression}[{key!r}]", item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _walk(f"{expression}[{index}]", item)
    else:
        yield expression, value


def _built(expression: str, value: Any) -> Iterator[str]:
    """Conditions that containers are those that the graph was captured with."""
    if isinstance(value, Mapping):
        yield f"isinstance({expression}, dict)"
        yield f"list({expression}) == {list(value)}"
        for key, item in value.items():
            yield from _built(f"{expression}[{key!r}]", item)
    elif isinstance(value, (list, tuple)):
        yield f"isinstance({expression}, (list, tuple))"
        yield f"len({expression}) == {len(value)}"
        for index, item in enumerate(value):
            yield from _built(f"{expression}[{index}]", item)


def _fixed(leaves: list[tuple[str, Any]]) -> Iterator[str]:
    """Conditions on what is no tensor: the graph holds for the values that it was captured with."""
    for expression, leaf in leaves:
        if leaf is None:
            yield f"{expression} is None"
        elif isinstance(leaf, (bool, int, float, str)):
            yield f"{expression} == {leaf!r}"
        elif not isinstance(leaf, Tensor):
            raise EmissionError(f"the argument '{expression}' is of type {type(leaf).__name__}")


def _same_objects(tensors: list[tuple[str, Tensor]]) -> Iterator[str]:
    """Conditions that one tensor given twice is given twice again: some forwards ask whether it is."""
    first: dict[int, str] = {}
    for expression, tensor in tensors:
        if id(tensor) in first:
            yield f"{expression} is {first[id(tensor)]}"
        first.setdefault(id(tensor), expression)


def _tensor_conditions(node: fx.Node, expression: str) -> Iterator[str]:
    fake = node.meta["val"]
    yield f"{expression}.dtype is {fake.dtype}"
    sizes = shape(node)
    if all(isinstance(size, int) for size in sizes):
        yield f"{expression}.shape == {sizes}"
    elif all(isinstance(size, int) for size in sizes[1:]):
        yield f"{expression}.shape[1:] == {sizes[1:]}" if len(sizes) > 1 else f"{expression}.dim() == 1"
    else:
        yield f"{expression}.dim() == {len(sizes)}"
        for index, size in enumerate(sizes):
            if isinstance(size, int):
                yield f"{expression}.shape[{index}] == {size}"


def _shape_text(node: fx.Node) -> str:
    sizes = [str(size) if isinstance(size, int) else "any" for size in shape(node)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _translate(guard: str, tensors: Mapping[fx.Node, str]) -> str:
    """A guard over placeholders' names, over the forward's own expressions."""
    for node, expression in tensors.items():
        guard = guard.replace(f"{node.target}.shape", f"{expression}.shape")
    return guard
