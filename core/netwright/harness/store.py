"""The store of tensors on disk: one file per content key, written whole, verified when read."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from safetensors.torch import load, save
from torch import Tensor

from netwright.context import current_run
from netwright.errors import UserError
from netwright.files import cache_folder, replace_file
from netwright.harness.packing import NotPackableError, pack, unpack

LARGEST_ENTRY = 2**30
"""Bytes of tensors beyond which a value is not stored: drawing it again costs no more than reading it."""

T = TypeVar("T")


def stored(key: str, make: Callable[[], T]) -> T:
    """The value stored under `key`, else what `make()` returns, stored for the next time.

    A value that is too large or holds more than tensors and plain values is made each time. An entry that does not
    match its checksum is made anew, with a warning. Processes may share the store: entries are replaced whole.

    Args:
        key: Equal keys promise equal values.
    """
    path = cache_folder("tensors") / f"{key}.entry"
    try:
        return cast("T", _read(path))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, LookupError) as error:
        current_run().warn(f"the cache entry {path} is corrupted ({error}): it is made anew")
    value = make()
    _write(path, value)
    return value


def _read(path: Path) -> Any:
    """The value in a file: a line with the checksum of the rest, a line with the structure, then safetensors.

    Raises:
        OSError: The file cannot be read.
        ValueError: It does not match its checksum.
    """
    checksum, _, content = path.read_bytes().partition(b"\n")
    if hashlib.sha256(content).hexdigest().encode() != checksum:
        raise ValueError("its checksum does not match")
    structure, _, tensors = content.partition(b"\n")
    # Copied out of the file's bytes: each tensor aligned and in memory of its own, as it was when it was drawn.
    return unpack(json.loads(structure), {name: tensor.clone() for name, tensor in load(tensors).items()})


def _write(path: Path, value: Any) -> None:
    try:
        structure, tensors = pack(value)
    except NotPackableError:
        return
    if _size(tensors) > LARGEST_ENTRY:
        return
    content = json.dumps(structure).encode() + b"\n" + save(tensors)
    try:
        with replace_file(path) as temporary:
            temporary.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
    except UserError as error:
        current_run().warn(f"tensors are not cached: {error.what} ({error.why})")


def _size(tensors: dict[str, Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
