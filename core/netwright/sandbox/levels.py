"""Which levels work on this machine, why the better ones do not, and which one is to be in force."""

import sys

from netwright.errors import UserError, unknown_name
from netwright.probes import landlock_version
from netwright.result import Record
from netwright.sandbox.bubblewrap import REMEDY, REMEDY_BLOCKED, Bubblewrap, find_bubblewrap
from netwright.sandbox.landlock import SCOPE_VERSION, TCP_VERSION
from netwright.sandbox.level import LEVELS, Level
from netwright.sandbox.seccomp import filters_sockets
from netwright.sandbox.settings import current_settings


class Probe(Record):
    """What trying a level gave."""

    level: Level
    works: bool
    detail: str
    """What it confines here, or why it does not work."""
    remedy: str = ""


def probe_levels() -> list[Probe]:
    """Try every level, best first."""
    return [_probe_bubblewrap(), _probe_landlock(), _probe_rlimits()]


def best_level() -> Level:
    """The best level that works here.

    Raises:
        UserError: None does.
    """
    for probe in probe_levels():
        if probe.works:
            return probe.level
    raise UserError("there is no sandbox on this machine", why=_probe_rlimits().detail)


def choose_level(level: Level | None = None) -> Level:
    """The level to put in force.

    Args:
        level: Exactly this one; None takes the best one.

    Raises:
        UserError: The machine lacks it, or it is below the one that the job requires.
    """
    required = current_settings().require
    if level is not None and level not in LEVELS:
        raise unknown_name("sandbox level", level, LEVELS)
    if level is not None:
        _check_works(level)
    chosen = level or best_level()
    if required is not None and LEVELS.index(chosen) > LEVELS.index(required):
        _check_works(required)
        raise UserError(f"the sandbox level '{chosen}' is too low", why=f"sandbox.require={required}")
    return chosen


def _check_works(level: Level) -> None:
    probe = next(probe for probe in probe_levels() if probe.level == level)
    if not probe.works:
        raise UserError(
            f"the sandbox level '{level}' does not work on this machine", why=probe.detail, remedy=probe.remedy
        )


def _probe_bubblewrap() -> Probe:
    found = find_bubblewrap()
    if isinstance(found, Bubblewrap):
        own = ["processes", "network", "IPC", "host name", *(["users"] if found.user_namespace else [])]
        detail = f"{', '.join(own)} and {'/proc' if found.own_proc else 'mounts'} of its own"
        return Probe(level="bubblewrap", works=True, detail=detail)
    remedy = REMEDY if found.startswith("there is no") else REMEDY_BLOCKED
    return Probe(level="bubblewrap", works=False, detail=found, remedy=remedy)


def _probe_landlock() -> Probe:
    version = landlock_version()
    if version == 0:
        return Probe(
            level="landlock", works=False, detail="the kernel has no Landlock", remedy="use Linux 6.12 or later"
        )
    confined = ["files"]
    confined += ["network"] if filters_sockets() else ["TCP"] if version >= TCP_VERSION else []
    confined += ["signals", "abstract sockets"] if version >= SCOPE_VERSION else []
    return Probe(level="landlock", works=True, detail=f"{', '.join(confined)} (version {version})")


def _probe_rlimits() -> Probe:
    if sys.platform != "linux":
        return Probe(level="rlimits", works=False, detail="it needs Linux")
    detail = f"limits{', network' if filters_sockets() else ''}, end of the process tree; no files"
    return Probe(level="rlimits", works=True, detail=detail)
