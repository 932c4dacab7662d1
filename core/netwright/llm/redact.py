"""Secrets and places: what never leaves the machine, and what reads differently in every run and home."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

REDACTED = "[redacted]"
SHORTEST_SECRET = 8
SECRET_NAME = re.compile(r"(?i)(key|token|secret|passw|credential|auth)")
HARMLESS_VALUE = re.compile(r"[a-z]+|[A-Z]+|[\d.]+|[/~.].*|https?://[^@]*")
"""Words, numbers, paths and addresses, as in AUTH_METHOD=password or SSH_AUTH_SOCK=/tmp/agent."""
SECRETS = re.compile(
    r"""
    -----BEGIN\ [A-Z ]{0,40}PRIVATE\ KEY-----.{0,20000}?-----END\ [A-Z ]{0,40}PRIVATE\ KEY-----
    | \bsk-[A-Za-z0-9_-]{16,}
    | \b(?:gh[pousr]_|github_pat_|glpat-|hf_|gsk_|xai-|r8_|pypi-|npm_|xox[abeprs]-)[A-Za-z0-9_-]{16,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \bAIza[A-Za-z0-9_-]{30,}
    | \beyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]+
    | (?i:\b(?:bearer|basic)\s{1,3})(?=[A-Za-z0-9._~+/-]{0,200}\d)[A-Za-z0-9._~+/-]{12,}=*
    | (?<=://)[^\s/:@]+:[^\s/@]+(?=@)
    """,
    re.VERBOSE | re.DOTALL,
)
"""Keys by their well-known forms; repetitions are bounded so that no text takes long."""
NAMED_SECRET = re.compile(
    r"""(?ix)
    ( (?:api[_-]?key|secret|passw(?:or)?d|access[_-]?token|auth[_-]?token) [a-z0-9_-]{0,40}
      ["']? \s{0,3} [:=] \s{0,3} ["']? )
    (?= [a-z0-9+/_=-]{0,200}\d ) (?= [a-z0-9+/_=-]{0,200}[a-z] ) [a-z0-9+/_=-]{16,}
    """
)
"""A value with letters and digits that stands behind a name such as api_key."""
ModelT = TypeVar("ModelT", bound=BaseModel)


class Redactor:
    """Takes secrets out of texts, and puts marks in place of folders that differ between runs.

    Args:
        secrets: Values that are secret wherever they stand.
        places: Folder per mark, such as {"run": Path(...)}; of two that nest, the inner one is marked.
    """

    def __init__(self, secrets: Iterable[str] = (), places: Mapping[str, Path] | None = None) -> None:
        values = sorted({value for value in secrets if len(value) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, values))) if values else None
        folders = sorted((places or {}).items(), key=lambda item: len(str(item[1])), reverse=True)
        self._places = {str(folder): f"{{netwright.{mark}}}" for mark, folder in folders if len(folder.parts) > 1}
        names = "|".join(map(re.escape, self._places))
        self._folders = re.compile(rf"(?<![\w.~/-])(?:{names})(?![\w-]|\.\w)") if names else None

    def conceal(self, text: str) -> str:
        """`text` without secrets, and without half letters (lone surrogates), which no file or request can hold."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        if self._values is not None:
            text = self._values.sub(REDACTED, text)
        return NAMED_SECRET.sub(rf"\1{REDACTED}", SECRETS.sub(REDACTED, text))

    def portable(self, text: str) -> str:
        """`text` with marks in place of folders."""
        return self._folders.sub(lambda match: self._places[match[0]], text) if self._folders else text

    def local(self, text: str) -> str:
        """`text` with this run's folders in place of marks: the inverse of `portable`."""
        for folder, mark in self._places.items():
            text = text.replace(mark, folder)
        return text


def map_strings(model: ModelT, change: Callable[[str], str]) -> ModelT:
    """A copy of a model with every string in it changed, those in nested models and mappings too."""
    return type(model).model_validate(_changed(model.model_dump(), change))


def environment_secrets(*variables: Mapping[str, str]) -> list[str]:
    """The values of those variables whose names sound secret, this process's own among them."""
    return [
        value
        for group in (os.environ, *variables)
        for name, value in group.items()
        if SECRET_NAME.search(name) and not HARMLESS_VALUE.fullmatch(value)
    ]


def _changed(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _changed(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_changed(item, change) for item in value]
    return value
