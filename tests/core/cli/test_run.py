"""`netwright run`: which arguments are overrides, and how wrong ones end."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netwright.cli.run import overrides_of

COMMAND = [sys.executable, "-m", "netwright.cli.main", "run"]

RunCli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("arguments", "overrides"),
    [
        ([], []),
        (["-m"], []),
        (["--cfg", "job"], []),
        (["--config-dir", "conf", "--cfg", "job"], []),
        (["-m", "seed=0,1", "--config-dir", "conf", "agent=x"], ["seed=0,1", "agent=x"]),
        (["--config-dir=conf", "+a=1", "~b"], ["+a=1", "~b"]),
        (["-c", "job"], []),
    ],
)
def test_overrides_are_told_from_flags(arguments: list[str], overrides: list[str]) -> None:
    assert overrides_of(arguments) == overrides


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["agent=prunner"], "no agent named 'prunner'; did you mean 'pruner'?"),
        (["baseline=magnitude_l3"], "no baseline named 'magnitude_l3'; did you mean 'magnitude_l"),
        (["agent=benchmark", "case=digits_cmm"], "no case named 'digits_cmm'; did you mean 'digits_cnn'?"),
        (["agent=benchmark", "case=digits_cnn", "baseline=taylor"], "agent 'benchmark' cannot use baseline 'taylor'"),
        (["agent.budget={macs: 1.5}"], "agent.budget.macs"),
        (["case_options.devise=cpu"], "unknown key 'case_options.devise'; did you mean 'case_options.device'?"),
        (["hydra.run.dir=/proc/nowhere"], "cannot write /proc/nowhere"),
        (["--config-dir", "nowhere", "seed=1"], "not found"),
        (["benchmark"], "'benchmark' is no setting; write KEY=VALUE"),
        (["--agent=benchmark"], "no option '--agent'; settings have no dashes: agent=benchmark"),
        (["--baseline", "eager"], "no option '--baseline'; settings have no dashes: baseline=VALUE"),
        (["--mutlirun", "seed=1"], "no option '--mutlirun'; did you mean '--multirun'?"),
        (["-x"], "no option '-x'"),
        (["--debug", "seed=1"], "it stands before the command: netwright --debug run"),
        (["agent.budget.macs=0.3"], "give it whole: 'agent.budget={macs: 0.3}'"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(run_cli: RunCli, arguments: list[str], message: str) -> None:
    done = run_cli("run", *arguments)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a CUDA device")
def test_missing_cuda_device_is_one_line(run_cli: RunCli) -> None:
    done = run_cli("run", "agent=benchmark", "case=digits_cnn", "case_options.device=cuda")
    assert done.returncode == 2
    assert "error: no CUDA device" in done.stderr


def test_no_override_means_quickstart_and_any_override_does_not(run_cli: RunCli) -> None:
    assert "magnitude_l1" in run_cli("run", "--cfg", "job").stdout
    assert "magnitude_l1" not in run_cli("run", "--cfg", "job", "seed=0").stdout


def test_full_disk_leaves_nothing_half_written(project: Path) -> None:
    """A file size limit stands in for the full disk: both end in an OSError in the middle of a write."""
    done = subprocess.run(
        ["bash", "-c", 'trap "" XFSZ; ulimit -f 1; exec "$0" "$@"', *COMMAND, "agent=pruner", "case=digits_cnn"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "error: cannot write" in done.stderr
    assert not list(project.rglob("*.part"))
