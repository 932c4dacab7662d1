"""What population refuses: netwright's one-line errors that are also the built-in ones which the interface promises."""

from collections.abc import Mapping, Sequence

from netwright.errors import NetwrightError, UserError

SHOWN = 6
"""How many values a message lists."""
PLACES = 3
"""How many places it lists per value."""


class ParameterError(UserError, ValueError):
    """A value cannot be: it contradicts another one, is no size, or is not known by its name."""


class ParameterTypeError(UserError, TypeError):
    """A value or an argument has the wrong type."""


class AmbiguousParameterError(ParameterError):
    """Several places of the model give different values, and nothing says which one is meant."""

    def __init__(self, parameter: str, module_class: str, candidates: Sequence[tuple[str, object]]) -> None:
        places: dict[str, list[str]] = {}
        for place, value in candidates:
            places.setdefault(repr(value), []).append(place)
        listed = "; ".join(f"{value} at {_listed(where)}" for value, where in list(places.items())[:SHOWN])
        more = f"; and {len(places) - SHOWN} other values" if len(places) > SHOWN else ""
        super().__init__(
            f"'{parameter}' is not the same for all of {module_class or 'the model'}",
            why=f"candidates: {listed}{more}",
            remedy=f"say which one is meant: runtime_parameters={{'{parameter}': ...}}, or pass the instance",
        )
        self.parameter = parameter
        self.candidates = tuple(candidates)


class MissingParameterError(ParameterError):
    """No rule gives a value.

    Attributes:
        tried: Per missing parameter, what was tried.
    """

    def __init__(self, tried: Mapping[str, Sequence[str]], types: Mapping[str, str], *, asked: str = "") -> None:
        self.tried = {name: tuple(attempts) for name, attempts in tried.items()}
        self.types = dict(types)
        first, *others = self.tried
        also = f", nor for {', '.join(repr(name) for name in others)}" if others else ""
        attempts = "; ".join([*self.tried[first], *([asked] if asked else [])])
        super().__init__(
            f"no value for the required parameter '{first}' ({types[first]}){also}",
            why=f"tried {attempts}",
            remedy=f"give it at run time: runtime_parameters={{'{first}': ...}}",
        )


class AgentFailedError(NetwrightError, RuntimeError):
    """The command-line model gave no usable answer."""


def _listed(places: Sequence[str]) -> str:
    more = f" and {len(places) - PLACES} more" if len(places) > PLACES else ""
    return f"{', '.join(places[:PLACES])}{more}"
