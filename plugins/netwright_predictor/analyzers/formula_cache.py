"""The cache of derived formulas, on disk: what one run found out, the next takes up."""

import hashlib
import inspect
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from netwright.errors import UserError
from netwright.files import cache_folder, content_key, write_json
from netwright_predictor.analyzers.derivation import Derivation
from netwright_predictor.expression import Expression


class FormulaCache:
    """Formulas by what they depend on; an entry that cannot be read or written is as good as none.

    The version of a class is the text of the file that it stands in, so that an edit makes a new entry.

    Args:
        folder: By default in netwright's cache.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or cache_folder("formulas")

    def read(self, key: Sequence[object]) -> Derivation | None:
        """The formula that was written for an equal key."""
        try:
            entry = json.loads(self._file(key).read_text(encoding="utf-8"))
            return Derivation(Expression(entry["formula"]), tuple(entry["checked"]), str(entry["holds"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, key: Sequence[object], found: Derivation) -> None:
        """Keep a formula."""
        entry = {"formula": str(found.formula), "checked": list(found.checked), "holds": found.holds}
        try:
            write_json(self._file(key), entry)
        except UserError:
            return  # a cache that cannot be written costs time, no result

    def _file(self, key: Sequence[object]) -> Path:
        parts = [_version(each) if isinstance(each, type) else each for each in key]
        return self._folder / f"{content_key(torch.__version__, *parts)}.json"


def _version(kind: type) -> list[str]:
    """A class by name and by the content of its file."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    try:
        source = inspect.getsource(sys.modules[kind.__module__])
    except (OSError, TypeError, KeyError):
        return [name]
    return [name, hashlib.sha256(source.encode()).hexdigest()]
