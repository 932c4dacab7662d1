"""The output of a caged program: its head and tail in memory, the whole in a file once it is long."""

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

HEAD_BYTES = 16 << 10
TAIL_BYTES = 48 << 10
CHUNK = 1 << 16
KEPT_FILES = 64
"""Files of earlier long outputs that are left in the folder."""


class Output:
    """Collects what a program prints.

    Args:
        folder: Where the whole is written once it does not fit into memory; made when needed.
        limit: The most bytes that are taken.

    Attributes:
        size: How many bytes came.
        file: Where the whole lies; None while head and tail are all of it.
    """

    def __init__(self, folder: Path, limit: int | None) -> None:
        self.size = 0
        self.file: Path | None = None
        self._folder = folder
        self._limit = limit
        self._head = self._tail = b""
        self._spill: IO[bytes] | None = None

    @property
    def is_full(self) -> bool:
        """Whether it has come to the limit."""
        return self._limit is not None and self.size >= self._limit

    def take(self, descriptor: int) -> bool:
        """Read some bytes; whether there may be more to come."""
        wanted = CHUNK if self._limit is None else min(CHUNK, self._limit - self.size)
        chunk = os.read(descriptor, wanted) if wanted > 0 else b""
        self._add(chunk)
        return bool(chunk)

    def text(self) -> str:
        """The head and the tail, with a line between them that says what was left out and where the whole is."""
        left_out = self.size - len(self._head) - len(self._tail)
        if left_out <= 0:
            return (self._head + self._tail).decode(errors="replace")
        note = f"\n[{left_out} bytes left out; the whole output: {self.file}]\n"
        return self._head.decode(errors="replace") + note + self._tail.decode(errors="replace")

    def tail(self) -> str:
        """The last that was printed."""
        return (self._head + self._tail)[-TAIL_BYTES:].decode(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._spill is not None:
            self._spill.close()

    def _add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        room = HEAD_BYTES - len(self._head)
        self._head += chunk[:room]
        rest = self._tail + chunk[room:] if room < len(chunk) else self._tail
        if self._spill is None and len(rest) > TAIL_BYTES:
            self._open_spill(self._head + rest)
        elif self._spill is not None:
            self._spill.write(chunk)
        self._tail = rest[-TAIL_BYTES:]

    def _open_spill(self, so_far: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        older = sorted(self._folder.glob("output-*.txt"), key=lambda path: path.stat().st_mtime)
        for path in older[: -KEPT_FILES + 1]:
            path.unlink(missing_ok=True)
        descriptor, name = tempfile.mkstemp(prefix="output-", suffix=".txt", dir=self._folder)
        self.file = Path(name)
        self._spill = os.fdopen(descriptor, "wb")
        self._spill.write(so_far)
