"""Files written whole: a reader sees the old content or the new, never a half, even if the writer is killed."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from netwright.errors import UserError


def utc_now() -> datetime:
    """The time of day for stamps, in UTC; durations use `time.perf_counter`."""
    return datetime.now(UTC)


def cache_folder(name: str) -> Path:
    """The folder `name` of netwright's cache: under `$NETWRIGHT_CACHE`, else `$XDG_CACHE_HOME`, else `~/.cache`."""
    root = os.environ.get("NETWRIGHT_CACHE")
    base = Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "netwright"
    return base / name


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place, synced to disk, when the block ends without an error.

    Raises:
        UserError: The folder cannot be written, or the disk is full; `path` is then as it was.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> UserError:
    """The one-line error for a path that the system does not let us write."""
    return UserError(
        f"cannot write {path}",
        why=(error.strerror or str(error)).lower(),
        remedy="free some space or choose another folder (hydra.run.dir=PATH for a run)",
    )


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole; raises as `replace_file`."""
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole; raises as `replace_file`."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def append_json_line(path: Path, value: Any) -> None:
    """Append one JSON line in a single write, so that a kill leaves at most a torn last line, which readers skip."""
    line = json.dumps(value, ensure_ascii=False) + "\n"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise cannot_write(path, error) from error


def file_checksum(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_key(*parts: Any) -> str:
    """SHA-256 of JSON-like values, in hexadecimal: equal values give equal keys in every process."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def slug(text: str) -> str:
    """`text` as one readable folder name of at most 120 characters; a longer one keeps its start and gets a hash."""
    name = re.sub(r"[^A-Za-z0-9._=,+-]+", "-", text).strip("-.")
    return name if len(name) <= 120 else f"{name[:103]}-{content_key(text)[:16]}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
