"""The job's sandbox settings, in force for everything that runs in a cage meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

from netwright.config import Config
from netwright.sandbox.level import Level
from netwright.sandbox.limits import Limits


class SandboxConfig(Config):
    """How code that netwright did not write is confined."""

    require: Level | None = None
    """Refuse to run such code below this level; null takes the best one that the machine has."""
    limits: Limits = Limits()
    """What a caged program may use where its caller says nothing else."""


_in_force = [SandboxConfig()]
"""The last one counts. A context variable would not do: a new thread would not see it, and slip below `require`."""


def current_settings() -> SandboxConfig:
    """The settings in force."""
    return _in_force[-1]


@contextmanager
def use_sandbox(settings: SandboxConfig) -> Iterator[None]:
    """Put `settings` in force inside the block, in all threads."""
    entry = settings.model_copy()
    _in_force.append(entry)
    try:
        yield
    finally:
        _in_force[:] = [other for other in _in_force if other is not entry]
