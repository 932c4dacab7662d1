"""The expression that builds an output of its leaves, as the original builds it."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from torch.utils import _pytree as pytree

from netwright_fusion.emission.errors import EmissionError
from netwright_fusion.emission.literal import quoted


class Structure:
    """Writes an output, and notes what has to be imported for that."""

    def __init__(self, known: set[str]) -> None:
        self._known = known
        self.imports: dict[str, str] = {}
        """Classes by name, with their modules."""

    def text(self, specification: pytree.TreeSpec, leaves: list[str]) -> str:
        """The expression.

        Raises:
            EmissionError: The output is of a class that cannot be written down.
        """
        return self._build(specification, iter(leaves))

    def _build(self, specification: pytree.TreeSpec, leaves: Iterator[str]) -> str:
        if specification.is_leaf():
            return next(leaves)
        parts = [self._build(child, leaves) for child in specification.children()]
        kind, context = specification.type, specification.context
        if kind is tuple:
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        if kind is list:
            return f"[{', '.join(parts)}]"
        if kind is dict:
            return "{" + ", ".join(f"{_key(key)}: {part}" for key, part in zip(context, parts, strict=True)) + "}"
        if kind is OrderedDict:
            pairs = ", ".join(f"({_key(key)}, {part})" for key, part in zip(context, parts, strict=True))
            self.imports["OrderedDict"] = "collections"
            return f"OrderedDict([{pairs}])"
        if kind.__name__ == "namedtuple":
            return f"{self._class(context)}({', '.join(parts)})"
        if kind.__module__ == "torch.return_types":
            return f"torch.return_types.{kind.__name__}(({', '.join(parts)}))"
        return self._model_output(kind, context, parts)

    def _model_output(self, kind: Any, context: Any, parts: list[str]) -> str:
        """An output class of transformers, whose context is its keys."""
        keys = context[0] if isinstance(context, tuple) else context
        is_output = any(base.__name__ == "ModelOutput" for base in kind.__mro__)
        if not is_output or not isinstance(keys, list) or len(keys) != len(parts):
            raise EmissionError(f"an output of class {kind.__name__} cannot be written down")
        named = ", ".join(f"{key}={part}" for key, part in zip(keys, parts, strict=True))
        return f"{self._class(kind)}({named})"

    def _class(self, kind: type) -> str:
        if kind.__name__ not in self._known:
            self.imports[kind.__name__] = kind.__module__
        return kind.__name__


def _key(key: Any) -> str:
    return quoted(key) if isinstance(key, str) else repr(key)
