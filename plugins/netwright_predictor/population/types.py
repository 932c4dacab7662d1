"""Types of parameters by name: which there are, and whether a value is of one."""

from collections.abc import Mapping
from typing import Any

from netwright.errors import nearest
from netwright_predictor.population.errors import ParameterTypeError

TYPES: dict[str, type] = {kind.__name__: kind for kind in (int, float, bool, str, list, tuple, dict)}
"""What a parameter's type may be called: the types that a configuration can hold."""


def check_required(required: object) -> dict[str, str]:
    """The required parameters with the names of their types.

    Raises:
        ParameterTypeError: It is no mapping of names to names of types; the message names the parameter.
    """
    if not isinstance(required, Mapping):
        raise ParameterTypeError(f"required_parameters must be dict, not {type(required).__name__}")
    for name, kind in required.items():
        if not isinstance(name, str) or not name:
            raise ParameterTypeError(f"required_parameters: a name must be str and not empty, not {name!r}")
        if not isinstance(kind, str) or kind not in TYPES:
            guess = nearest(kind, TYPES) if isinstance(kind, str) else None
            raise ParameterTypeError(
                f"required_parameters: the type of '{name}' cannot be {kind!r}",
                why=f"it must be the name of a Python type: {', '.join(TYPES)}",
                remedy=f"did you mean '{guess}'?" if guess else "",
            )
    return dict(required)


def is_of_type(value: object, kind: str) -> bool:
    """Whether a value is of the type, or is the same number or sequence in another one."""
    if kind in ("int", "float"):
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return kind == "float" or isinstance(value, int) or value.is_integer()
    if kind in ("list", "tuple"):
        return isinstance(value, list | tuple)
    return isinstance(value, TYPES[kind])


def as_type(parameter: str, value: object, kind: str, source: str) -> Any:
    """The value in the type that is required.

    Raises:
        ParameterTypeError: It is of another one; the message names parameter, source and expected type.
    """
    if not is_of_type(value, kind):
        why = f"{source} says {value!r}"
        if isinstance(value, float) and kind == "int":
            raise ParameterTypeError(
                f"'{parameter}' must be int, and is no whole number", why=why, remedy="ask for float"
            )
        raise ParameterTypeError(f"'{parameter}' must be {kind}, not {type(value).__name__}", why=why)
    return TYPES[kind](value)
