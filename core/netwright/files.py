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
from typing import IO, Any

from pydantic_core import to_json

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
    """Append one JSON line in a single write, so that a kill leaves at most a torn last line, which readers skip.

    What JSON does not know becomes text: numbers that are not finite, paths, tensors.
    """
    line = to_json(value, inf_nan_mode="strings", fallback=str) + b"\n"
    try:
        with path.open("a+b", buffering=0) as file:
            if file.seek(0, os.SEEK_END) and _last_byte(file) != b"\n":
                line = b"\n" + line
            file.write(line)
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


def _last_byte(file: IO[bytes]) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


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
