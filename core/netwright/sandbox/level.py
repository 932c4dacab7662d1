"""The names of the levels of confinement."""

from typing import Literal

Level = Literal["bubblewrap", "landlock", "rlimits"]
LEVELS: tuple[Level, ...] = ("bubblewrap", "landlock", "rlimits")
"""Best first."""
