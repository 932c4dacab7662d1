"""`netwright run`: composes a job or a sweep with Hydra and runs it."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.threads import brief_spinning

if TYPE_CHECKING:
    from netwright.errors import UserError

USAGE = """\
usage: netwright run [KEY=VALUE ...] [-m] [--cfg job] [--config-dir DIR] [--quiet]

Without any KEY=VALUE it applies experiment=quickstart. Most used:
  agent=NAME            who works: netwright agents
  case=NAME             on what: netwright cases; script:FILE.py:CLASS is your own
  case_options.KEY=VALUE
                        how it is built and fed: device=cuda, constants={batch_size: 8}
  baseline=NAME         what to compare: netwright baselines; a list is [a,b]
  agent.KEY=VALUE       the agent's own settings; --cfg job shows all of them
  experiment=NAME       a preset of all of these from conf/experiment
  seed=N                the only seed
  resume=FOLDER         go on with a run that was killed or stopped; only workflow.KEY=VALUE beside it

  -m, --multirun        sweep: every combination of comma-separated values
  --cfg job             print the composed configuration and stop
  --config-dir DIR      a folder of your own configs
  --quiet               print nothing but errors
  --hydra-help          Hydra's own options

examples:
  netwright run case=timm:resnet18 agent=benchmark
  netwright run -m baseline=magnitude_l2,taylor seed=0,1,2
  netwright run 'case_options.constants={batch_size: 8}' case=timm:resnet18 agent=benchmark

Values that hold spaces, brackets or commas are quoted twice, for the shell and for Hydra: "case='a b.py'".
"""

FLAGS_WITH_VALUE = (
    "--cfg",
    "-c",
    "--config-dir",
    "-cd",
    "--config-name",
    "-cn",
    "--config-path",
    "-cp",
    "--package",
    "-p",
    "--info",
    "-i",
    "--experimental-rerun",
)
FLAGS = (
    *FLAGS_WITH_VALUE,
    "--quiet",
    "--multirun",
    "-m",
    "--run",
    "-r",
    "--resolve",
    "--hydra-help",
    "--version",
    "--shell-completion",
    "-sc",
)
"""Those of Hydra's, and --quiet; anything else with a dash is a mistake."""


def main(command: str, arguments: list[str]) -> int:
    """Run `netwright run`; the arguments are Hydra's, with --quiet beside them."""
    if "--help" in arguments or "-h" in arguments:
        print(USAGE)
        return 0
    _refuse_unknown_flags(arguments)
    os.environ.update(brief_spinning(os.environ))
    from netwright.sweep import QUIET_VARIABLE, Request, run_with_hydra

    if "--quiet" in arguments:
        arguments = [argument for argument in arguments if argument != "--quiet"]
        os.environ[QUIET_VARIABLE] = "1"
    overrides = overrides_of(arguments)
    if any(override.startswith("resume=") for override in overrides):
        return _resume(arguments, overrides)
    if not overrides:
        arguments = [*arguments, "experiment=quickstart"]
    sys.argv = [f"netwright {command}", *arguments]
    return run_with_hydra(
        Request(overrides, multirun=not {"-m", "--multirun"}.isdisjoint(arguments), config_dir=_config_dir(arguments))
    )


def _resume(arguments: list[str], overrides: list[str]) -> int:
    from netwright.errors import UserError
    from netwright.resume import resume_and_show

    flags = [argument for argument in arguments if argument.startswith("-")]
    if flags:
        remedy = "a sweep is resumed by sweep.name=NAME sweep.resume=true" if "-m" in flags else ""
        raise UserError(f"{flags[0]} does not go with resume=FOLDER", remedy=remedy)
    folders = [override.partition("=")[2].strip("'\"") for override in overrides if override.startswith("resume=")]
    if len(folders) > 1 or not folders[0]:
        raise UserError("resume= takes the folder of one run", remedy="netwright run resume=outputs/DATE/TIME-NAME")
    return resume_and_show(Path(folders[0]), [item for item in overrides if not item.startswith("resume=")])


def overrides_of(arguments: list[str]) -> list[str]:
    """The Hydra overrides among the arguments: all but flags and the values of flags."""
    found = []
    is_value = False
    for argument in arguments:
        if not is_value and not argument.startswith("-"):
            found.append(argument)
        is_value = argument in FLAGS_WITH_VALUE
    return found


def _refuse_unknown_flags(arguments: list[str]) -> None:
    """Say what is wrong with a flag that is none, before Hydra prints all of its own.

    Raises:
        UserError: There is one.
    """
    is_value = False
    for argument in arguments:
        flag, separator, value = argument.partition("=")
        if not is_value and flag.startswith("-") and flag not in FLAGS:
            raise _unknown_flag(flag, value if separator else "VALUE")
        is_value = argument in FLAGS_WITH_VALUE


def _unknown_flag(flag: str, value: str) -> "UserError":
    from netwright.errors import UserError, nearest
    from netwright.run import JobConfig

    key = flag.lstrip("-").replace("-", "_")
    if flag in ("--debug", "--disable"):
        remedy = f"it stands before the command: netwright {flag} run"
    elif key.partition(".")[0] in (*JobConfig.model_fields, "experiment", "launch", "hydra"):
        remedy = f"settings have no dashes: {key}={value}"
    else:
        guess = nearest(flag, [known for known in FLAGS if known.startswith("--")])
        remedy = f"did you mean '{guess}'?" if guess else "netwright run --help shows all"
    return UserError(f"netwright run has no option '{flag}'", remedy=remedy)


def _config_dir(arguments: list[str]) -> Path | None:
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument in ("--config-dir", "-cd"):
            return Path(following)
        if argument.startswith("--config-dir="):
            return Path(argument.partition("=")[2])
    return None
