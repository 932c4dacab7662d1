"""The command line's frame: exit codes, one-line errors, and no torch where none is needed."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from netwright import __version__
from netwright.cli.main import COMMANDS, main

RunCli = Callable[..., subprocess.CompletedProcess[str]]


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS)
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert __version__ in capsys.readouterr().out


def test_unknown_command_is_exit_code_2(run_cli: RunCli) -> None:
    done = run_cli("agentz")
    assert done.returncode == 2
    assert done.stderr == "error: no command named 'agentz'; did you mean 'agents'? (netwright --help shows all)\n"


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["plugins"], ["agents"], ["tools"], ["baselines"], ["metrics"], ["cases"], ["run", "--help"]],
    ids=" ".join,
)
def test_neither_torch_nor_litellm_is_imported(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom netwright.cli.main import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "sys.exit(not {'torch', 'litellm'}.isdisjoint(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_composition_imports_neither_torch_nor_litellm() -> None:
    script = (
        "import sys\nfrom netwright.compose import compose\nfrom netwright.config import parse_config\n"
        "from netwright.run import JobConfig, plan_job\nfrom netwright.registry import registry\n"
        "for agent in registry().names('agent'):\n"
        "    overrides = [f'agent={agent}', 'case=digits_cnn', 'llm=local']\n"
        "    plan_job(parse_config(JobConfig, compose(overrides)), registry())\n"
        "sys.exit(not {'torch', 'litellm'}.isdisjoint(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_bug_is_called_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(command: str, arguments: list[str]) -> int:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("netwright.cli.doctor.main", fail)
    assert main(["doctor"]) == 1
    assert capsys.readouterr().err.startswith("error: ZeroDivisionError: by zero; this is a bug")
    with pytest.raises(ZeroDivisionError):
        main(["--debug", "doctor"])
