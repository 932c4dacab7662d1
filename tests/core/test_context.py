"""The ambient context: steps, warnings and where they go."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from netwright.context import RunContext, current_run, use_run
from netwright.runfolder import RunFolder, read_json_lines


def context(tmp_path: Path, *, terminal: bool = False, quiet: bool = False) -> RunContext:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80, quiet=quiet)
    return RunContext(folder=RunFolder(tmp_path), console=console)


def printed(run: RunContext) -> str:
    assert isinstance(run.console.file, io.StringIO)
    return run.console.file.getvalue()


def events(tmp_path: Path) -> list[dict[str, Any]]:
    return list(read_json_lines(tmp_path / "events.jsonl"))


def test_outside_a_run_there_is_a_context_without_folder() -> None:
    run = current_run()
    assert run.folder is None
    assert run.workspace == Path.cwd()
    with run.step("anything") as step:
        step.advance()
    run.log_event("nothing")


def test_the_run_in_force_is_current_until_the_block_ends(tmp_path: Path) -> None:
    outer, inner = context(tmp_path / "a"), context(tmp_path / "b")
    with use_run(outer):
        with use_run(inner):
            assert current_run() is inner
        assert current_run() is outer
    assert current_run().folder is None


def test_another_thread_does_not_share_the_run(tmp_path: Path) -> None:
    with use_run(context(tmp_path)), ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: current_run().folder).result() is None


def test_a_step_is_logged_with_start_end_outcome_and_last_facts(tmp_path: Path) -> None:
    run = context(tmp_path)
    with run.step("train", total=2, epochs=2) as step:
        step.advance(1, loss=0.5)
        step.advance(1, loss=0.25)
    started, ended = events(tmp_path)
    assert (started["event"], started["step"], started["facts"]) == ("step_started", "train", {"epochs": 2})
    assert (ended["event"], ended["outcome"], ended["facts"]) == ("step_ended", "ok", {"loss": 0.25})
    assert ended["seconds"] >= 0


@pytest.mark.parametrize("terminal", [False, True])
def test_a_step_that_raises_is_logged_as_failed(tmp_path: Path, terminal: bool) -> None:
    run = context(tmp_path, terminal=terminal)
    with pytest.raises(ZeroDivisionError), run.step("outer"), run.step("divide"):
        raise ZeroDivisionError("by zero")
    ends = [event for event in events(tmp_path) if event["event"] == "step_ended"]
    assert [(end["step"], end["outcome"]) for end in ends] == [("divide", "failed"), ("outer", "failed")]
    assert ends[0]["error"] == "ZeroDivisionError: by zero"


def test_without_a_terminal_each_step_is_one_line(tmp_path: Path) -> None:
    run = context(tmp_path)
    with run.step("train [x]") as step:
        step.advance(1, loss=0.123456, epoch=3)
    (line,) = printed(run).splitlines()
    assert line.startswith("train [x]: ")
    assert line.endswith("loss 0.1235  epoch 3")


def test_in_a_terminal_steps_are_bars(tmp_path: Path) -> None:
    run = context(tmp_path, terminal=True)
    with run.step("train", total=2) as outer:
        with run.step("epoch [/odd]", total=1) as inner:
            inner.advance(1, loss="[/]")
        outer.advance()
    assert "train" in printed(run)
    assert "epoch [/odd]" in printed(run)
    with run.step("another"):
        pass
    assert "0/2" in printed(run)
    assert "0/?" not in printed(run)


def test_a_quiet_console_stays_quiet(tmp_path: Path) -> None:
    run = context(tmp_path, quiet=True)
    with run.step("train"):
        run.warn("careful")
    assert printed(run) == ""
    assert [event["event"] for event in events(tmp_path)] == ["step_started", "warning", "step_ended"]


def test_a_warning_is_printed_as_it_is_and_logged(tmp_path: Path) -> None:
    run = context(tmp_path)
    run.warn("no file [/tmp/x] here")
    assert printed(run) == "warning: no file [/tmp/x] here\n"
    assert events(tmp_path)[0]["message"] == "no file [/tmp/x] here"
