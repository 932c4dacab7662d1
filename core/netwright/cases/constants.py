"""What `case_options.constants` may override: settings of a case source, and top-level constants of a script."""

import ast
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from netwright.config import ConfigT, parse_config
from netwright.errors import UserError, unknown_name


def split_settings(
    config_class: type[ConfigT], constants: Mapping[str, Any] | None, *, excluded: Collection[str] = ()
) -> tuple[ConfigT, dict[str, Any]]:
    """Those of `case_options.constants` that are fields of `config_class`, validated, and the others as they are.

    Args:
        excluded: Fields that mean something else here and count among the others.

    Raises:
        UserError: A field's value has the wrong type.
    """
    given = dict(constants or {})
    fields = set(config_class.model_fields) - set(excluded)
    settings = {name: given.pop(name) for name in fields & set(given)}
    return parse_config(config_class, settings, path="case_options.constants"), given


def constant_names(tree: ast.Module) -> set[str]:
    """The names that a script's top level assigns, unpacked tuples included."""
    return {
        target.id for statement in tree.body for target, _ in _assignments(statement) if not target.id.startswith("__")
    }


def override_constants(tree: ast.Module, overrides: Mapping[str, Any], origin: str) -> ast.Module:
    """`tree` with other values in its top-level assignments; constants computed from those follow when it runs.

    A list becomes a tuple where the script writes one. A name that is assigned several times gets the value each time.

    Args:
        overrides: Name to value: numbers, strings, booleans, None, and lists, tuples and mappings of those.
        origin: The script's name for messages.

    Raises:
        UserError: The script has no such constant (the nearest is shown), or the value cannot be written into it.
    """
    known = constant_names(tree)
    for name in overrides:
        if name not in known:
            raise unknown_name(f"constant in {origin}", name, known)
    body = [new for statement in tree.body for new in _rewrite(statement, overrides)]
    return ast.fix_missing_locations(ast.Module(body, tree.type_ignores))


def _assignments(statement: ast.stmt) -> Iterator[tuple[ast.Name, ast.expr]]:
    """The names that a statement assigns, each with its own value where that can be told apart, else the whole."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
        yield statement.target, statement.value
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _pairs(target, statement.value)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.Name, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for part, its_value in zip(target.elts, value.elts, strict=True):
            yield from _pairs(part, its_value)
    else:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node, value


def _rewrite(statement: ast.stmt, overrides: Mapping[str, Any]) -> Iterator[ast.stmt]:
    """The statement, unless all that it assigns is overridden, then an assignment for each overridden name."""
    assigned = list(_assignments(statement))
    overridden = [(target, value) for target, value in assigned if target.id in overrides]
    if not assigned or len(overridden) < len(assigned):
        yield statement
    for target, value in overridden:
        new = _literal(overrides[target.id], value, target.id)
        yield ast.copy_location(ast.Assign([target], new), statement)


def _literal(value: Any, original: ast.expr | None, name: str) -> ast.expr:
    """`value` as an expression, a tuple where `original` is one."""
    if value is None or isinstance(value, bool | int | float | str):
        return ast.Constant(value)
    if isinstance(value, Mapping):
        return ast.Dict(
            [_literal(key, None, name) for key in value], [_literal(item, None, name) for item in value.values()]
        )
    if isinstance(value, list | tuple):
        parts = original.elts if isinstance(original, ast.Tuple | ast.List) else []
        items = [_literal(item, parts[n] if n < len(parts) else None, name) for n, item in enumerate(value)]
        as_tuple = isinstance(value, tuple) or isinstance(original, ast.Tuple)
        return ast.Tuple(items, ast.Load()) if as_tuple else ast.List(items, ast.Load())
    raise UserError(f"constant '{name}' cannot be a {type(value).__name__}", remedy="give a number, a string or a list")
