"""The cage: code that netwright did not write runs confined, and ends with everything that it started."""

from netwright.sandbox.child import Child, Ended, Resources, make_temporary, start
from netwright.sandbox.command import Command, Function, Source, python_variables
from netwright.sandbox.execution import Completed, run
from netwright.sandbox.level import LEVELS, Level
from netwright.sandbox.levels import Probe, best_level, choose_level, probe_levels
from netwright.sandbox.limits import Limits
from netwright.sandbox.reasons import Reason
from netwright.sandbox.settings import SandboxConfig, current_settings, use_sandbox
from netwright.sandbox.workspace import check_workspace, open_inside, safe_read

__all__ = [
    "LEVELS",
    "Child",
    "Command",
    "Completed",
    "Ended",
    "Function",
    "Level",
    "Limits",
    "Probe",
    "Reason",
    "Resources",
    "SandboxConfig",
    "Source",
    "best_level",
    "check_workspace",
    "choose_level",
    "current_settings",
    "make_temporary",
    "open_inside",
    "probe_levels",
    "python_variables",
    "run",
    "safe_read",
    "start",
    "use_sandbox",
]
