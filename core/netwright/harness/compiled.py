"""What compilers made: a run may share it with all its workers, and each caged one works on a copy of its own."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

VARIABLE = "TORCHINDUCTOR_CACHE_DIR"

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
        try:
            yield Path(folder)
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
