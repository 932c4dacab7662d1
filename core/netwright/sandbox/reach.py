"""What a caged program reaches of the file system: the system, the interpreter, its workspace, and little else."""

import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store"),
    *("/etc/alternatives", "/etc/group", "/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf", "/etc/os-release"),
    *("/etc/passwd", "/etc/pki/tls/certs", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/sys/devices/system"),
)
"""Programs, libraries, and what they need to know of the system; no secrets."""
NETWORK_SETTINGS = ("/etc/gai.conf", "/etc/host.conf", "/etc/hosts", "/etc/resolv.conf", "/etc/services")
CUDA_FILES = ("/sys", "/etc/OpenCL")
CUDA_DEVICES = ("/dev/nvidia*", "/dev/kfd", "/dev/dri")


@dataclass(frozen=True)
class Reach:
    """Paths that exist, resolved; outermost first.

    Attributes:
        readable: What may be read and executed.
        writable: What may be written too.
        links: Symbolic links, elsewhere, that lead to the readable ones, with what they say.
        devices: Device files or folders that may be used.
        temporary: The private folder; it holds `home`, `tmp` and `shm`.
    """

    readable: tuple[str, ...]
    writable: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    devices: tuple[str, ...] = ()
    temporary: str | None = None


def find_reach(
    *,
    temporary: Path | None = None,
    readable: Iterable[Path] = (),
    writable: Iterable[Path] = (),
    network: bool = False,
    cuda: bool = False,
) -> Reach:
    """The reach of one program: the system, this interpreter and its import path, and what is asked for beside."""
    known, links = _find_system(network, cuda)
    found, more = _resolve_all([*interpreter_paths(), *map(str, readable)])
    own, _ = _resolve_all([*map(str, writable), *([str(temporary)] if temporary else [])])
    shown = {*known, *found, *own}
    hidden_links = {link for link in {*links, *more} if not any(is_inside(link[0], path) for path in shown)}
    devices = [str(path) for pattern in CUDA_DEVICES for path in Path("/").glob(pattern[1:])] if cuda else []
    return Reach(
        _outermost_first({*known, *found}),
        _outermost_first(own),
        tuple(sorted(hidden_links)),
        tuple(sorted(devices)),
        str(temporary) if temporary else None,
    )


def interpreter_paths() -> list[str]:
    """Where this interpreter and all that it imports lie."""
    places = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    return [*filter(is_narrow, places), *import_path(), sys.executable]


def import_path() -> list[str]:
    """The entries of `sys.path` that a caged interpreter may have: absolute, and no home folder as a whole."""
    return [entry for entry in sys.path if entry.startswith("/") and is_narrow(entry)]


def is_narrow(path: str | Path) -> bool:
    """Whether showing `path` shows neither a whole home folder nor everybody's temporary files."""
    real = os.path.realpath(path)
    return not any(is_inside(shared, real) for shared in _shared_folders(os.environ.get("HOME"), tempfile.gettempdir()))


def is_inside(path: str, folder: str) -> bool:
    """Whether a resolved path is a resolved folder, or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


@lru_cache(maxsize=8)
def _shared_folders(home: str | None, temporary: str) -> list[str]:  # noqa: ARG001 - expanduser reads it
    return [os.path.realpath(os.path.expanduser("~")), os.path.realpath(temporary)]  # noqa: PTH111 - may stay "~"


@cache
def _find_system(network: bool, cuda: bool) -> tuple[set[str], set[tuple[str, str]]]:
    return _resolve_all([*SYSTEM, *(NETWORK_SETTINGS if network else ()), *(CUDA_FILES if cuda else ())])


def _resolve_all(paths: Iterable[str]) -> tuple[set[str], set[tuple[str, str]]]:
    """The paths that exist, resolved; and the links among their parts that lead to them from elsewhere."""
    found: set[str] = set()
    links: set[tuple[str, str]] = set()
    for path in paths:
        real = os.path.realpath(path)
        if os.path.exists(real):  # noqa: PTH110 - these few lines are most of what starting a program takes here
            found.add(real)
            links |= _links_on(os.path.normpath(path))
    return found, {(link, target) for link, target in links if not any(is_inside(link, real) for real in found)}


def _links_on(path: str) -> set[tuple[str, str]]:
    """The symbolic links that one passes on the way to a path."""
    links: set[tuple[str, str]] = set()
    walked = ""
    for part in path.split("/")[1:]:
        walked = f"{os.path.realpath(walked or '/').rstrip('/')}/{part}"
        if os.path.islink(walked):  # noqa: PTH114
            links.add((walked, str(Path(walked).readlink())))
    return links


def _outermost_first(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(paths), key=lambda path: (path.count("/"), path)))
