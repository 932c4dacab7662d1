"""What compilers made: a run may share it with all its workers, and each caged one works on a copy of its own.

Two things are taken from the user's own cache, because Inductor makes them again, in 5 to 8 seconds each, where it does
not find them: what it found out about the processor's vector units, and headers that its compiler has read already.
"""

import getpass
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from netwright.errors import UserError
from netwright.files import replace_file

VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
FOLDER = "torchinductor_{user}"
"""Inductor's own folder among temporary files."""
HEADERS = "precompiled_headers"
PROBED = ".load_ok"
"""Marks a library that was made to probe the processor, and works."""
SETTLED_SECONDS = 60.0
"""A compiled header that is younger may still be in the making, by another process."""

_shared: ContextVar[Path | None] = ContextVar("netwright_compiled", default=None)


@contextmanager
def shared_compiler_cache() -> Iterator[Path]:
    """Inside the block, processes that are started keep what Inductor compiles in one folder, which ends with it.

    Candidates are judged in cages that see nothing of the user's own cache, so that each would compile from scratch in
    each. They get copies, which they may spoil as they like; only processes outside a cage write to the folder itself.
    """
    before = os.environ.get(VARIABLE)
    with tempfile.TemporaryDirectory(prefix="netwright-compiled-", ignore_cleanup_errors=True) as folder:
        token = _shared.set(Path(folder))
        os.environ[VARIABLE] = folder
        own = Path(before) if before else _own_folder()
        _copy_probes(own, Path(folder))
        try:
            yield Path(folder)
            _copy_probes(Path(folder), own)
        finally:
            _shared.reset(token)
            if before is None:
                os.environ.pop(VARIABLE, None)
            else:
                os.environ[VARIABLE] = before


def copied_compiler_cache(scratch: Path) -> dict[str, str]:
    """The variable that names a worker's own copy of the shared cache, made in its scratch folder; or nothing."""
    shared = _shared.get()
    if shared is None or not shared.is_dir():
        return {}
    own = scratch / "compiled"
    shutil.copytree(shared, own, ignore_dangling_symlinks=True, dirs_exist_ok=True)
    return {VARIABLE: str(own)}


def precompiled_headers() -> Path:
    """The folder of the headers that were compiled for this user; it need not exist."""
    return _own_folder() / HEADERS


def seed_compiler_cache(temporary: Path, user: str) -> None:
    """Let the compilers of a cage find the user's headers, which they can read but not write, and probes.

    Args:
        temporary: The cage's folder of temporary files.
        user: Who it runs as, by its own account.
    """
    folder = temporary / FOLDER.format(user=user)
    _copy_probes(_own_folder(), folder)
    for compiled in precompiled_headers().glob("*.h.gch"):
        with suppress(OSError, UserError):  # a cache may lose files at any time
            if time.time() - compiled.stat().st_mtime > SETTLED_SECONDS:
                _copy(compiled.with_suffix(""), folder / HEADERS)
                (folder / HEADERS / compiled.name).symlink_to(compiled.resolve())


def _own_folder() -> Path:
    try:
        user = getpass.getuser()
    except (KeyError, ImportError, OSError):  # an account without a name, as in some containers
        user = f"uid_{os.getuid()}"
    return Path(tempfile.gettempdir()) / FOLDER.format(user=user)


def _copy_probes(source: Path, target: Path) -> None:
    """Copy the libraries of probes, and their sources, from one cache to another that lacks them."""
    for marker in source.glob(f"*/*.so{PROBED}"):
        library, folder = marker.with_suffix(""), target / marker.parent.name
        with suppress(OSError, UserError):  # a cache may lose files at any time, and need not be writable
            if not (folder / marker.name).exists():
                for part in (library.with_suffix(".cpp"), library, marker):
                    _copy(part, folder)


def _copy(file: Path, folder: Path) -> None:
    """Copy a file into a folder, where nobody ever sees a part of it."""
    with replace_file(folder / file.name) as partial:
        shutil.copyfile(file, partial)
