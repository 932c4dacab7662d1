"""Steps and warnings in an event log."""

from typing import Any

from netwright.report.timeline import read_steps, read_warnings


def event(second: int, name: str, **details: Any) -> dict[str, Any]:
    return {"time": f"2026-01-01T00:00:{second:02}+00:00", "event": name, **details}


def test_steps_have_start_length_outcome_and_facts() -> None:
    (step,) = read_steps(
        [
            event(0, "job_started"),
            event(2, "step_started", step="train", facts={"epochs": 3}),
            event(5, "step_ended", step="train", outcome="ok", seconds=3.1, facts={"loss": 0.5}),
        ]
    )
    assert (step.name, step.start, step.seconds, step.outcome) == ("train", 2.0, 3.1, "ok")
    assert step.facts == {"epochs": 3, "loss": 0.5}


def test_nested_steps_of_one_name_end_inside_out() -> None:
    steps = read_steps(
        [
            event(0, "step_started", step="a"),
            event(1, "step_started", step="a"),
            event(2, "step_ended", step="a", outcome="failed", seconds=1.0),
            event(4, "step_ended", step="a", outcome="ok", seconds=4.0),
        ]
    )
    assert [(step.seconds, step.outcome) for step in steps] == [(4.0, "ok"), (1.0, "failed")]


def test_a_step_in_which_the_run_was_killed_has_no_end() -> None:
    (step,) = read_steps([event(0, "step_started", step="a")])
    assert (step.seconds, step.outcome) == (None, "not ended")


def test_an_end_without_start_is_no_step() -> None:
    assert read_steps([event(0, "step_ended", step="a", outcome="ok", seconds=1.0)]) == []


def test_warnings_are_listed_once() -> None:
    events = [event(0, "warning", message="a"), event(1, "other"), event(2, "warning", message="a")]
    assert read_warnings(events) == ["a"]
