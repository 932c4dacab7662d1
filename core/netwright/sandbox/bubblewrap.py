"""Bubblewrap: the command line that confines a program to namespaces of its own."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from netwright.probes import failure_of
from netwright.sandbox.reach import Reach, find_reach, is_inside

NAMESPACES = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
REMEDY = "apt install bubblewrap, or the like"
REMEDY_BLOCKED = "allow user namespaces (Ubuntu: an AppArmor profile for bwrap; containers: --privileged or seccomp)"


@dataclass(frozen=True)
class Bubblewrap:
    """Bubblewrap as it works on this machine.

    Attributes:
        command: Where it lies.
        user_namespace: Whether programs get a user namespace of their own.
        own_proc: Whether they get a /proc of their own; where the system forbids that, they see the machine's, in which
            the user namespace keeps them from looking into other processes.
    """

    command: Path
    user_namespace: bool = True
    own_proc: bool = True

    def wrap(self, argv: Sequence[str], reach: Reach, folder: Path, *, network: bool) -> list[str]:
        """The command line that runs `argv` confined to `reach`, starting in `folder`."""
        command = [str(self.command), *NAMESPACES, "--new-session", "--die-with-parent", "--cap-drop", "ALL"]
        command += ["--unshare-user"] if self.user_namespace else []
        command += [] if network else ["--unshare-net"]
        for option, path in _mounts(reach):
            command += [option, path, path]
        for link, target in reach.links:
            command += ["--symlink", target, link]
        command += ["--proc", "/proc"] if self.own_proc else ["--ro-bind", "/proc", "/proc"]
        command += ["--dev", "/dev"]
        if reach.temporary:
            command += ["--bind", f"{reach.temporary}/shm", "/dev/shm"]
        for device in reach.devices:
            command += ["--dev-bind", device, device]
        return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(folder), "--", *argv]


def find_bubblewrap() -> Bubblewrap | str:
    """Bubblewrap as it works here, or why it does not; tried once per process and command."""
    command = shutil.which("bwrap")
    return "there is no bwrap" if command is None else _try(Path(command))


@cache
def _try(command: Path) -> Bubblewrap | str:
    ways = (
        Bubblewrap(command),
        Bubblewrap(command, user_namespace=False),
        Bubblewrap(command, own_proc=False),
    )
    problems = []
    for way in ways:
        problem = failure_of(way.wrap(["true"], find_reach(), Path("/"), network=False))
        if problem is None:
            return way
        problems.append(problem)
    return problems[0]


def _mounts(reach: Reach) -> list[tuple[str, str]]:
    """What to bind, outermost first; what lies in an outer one of the same kind goes without saying."""
    kinds = dict.fromkeys(reach.readable, "--ro-bind") | dict.fromkeys(reach.writable, "--bind")
    mounts: list[tuple[str, str]] = []
    for path in sorted(kinds, key=lambda path: (path.count("/"), path)):
        around = [kind for kind, outer in mounts if is_inside(path, outer)]
        if around[-1:] != [kinds[path]]:
            mounts.append((kinds[path], path))
    return mounts
