"""A run's event log as steps on a common clock, and the warnings in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class TimelineStep:
    """One step.

    Attributes:
        start: Seconds after the first event.
        seconds: How long it took; None for one that never ended.
        outcome: "ok", "failed", or "not ended" where the run was killed inside it.
        facts: What was logged at its start and end.
    """

    name: str
    start: float
    seconds: float | None = None
    outcome: str = "not ended"
    facts: dict[str, Any] = field(default_factory=dict)


def read_steps(events: Iterable[Mapping[str, Any]]) -> list[TimelineStep]:
    """The steps of an event log, in the order in which they began."""
    steps: list[TimelineStep] = []
    first: datetime | None = None
    for event in events:
        time = datetime.fromisoformat(event["time"])
        first = first or time
        facts = {**event.get("facts", {}), **({"error": event["error"]} if "error" in event else {})}
        if event["event"] == "step_started":
            steps.append(TimelineStep(str(event["step"]), (time - first).total_seconds(), facts=facts))
        elif event["event"] == "step_ended":
            for step in reversed(steps):
                if step.name == event["step"] and step.seconds is None:
                    step.seconds, step.outcome = float(event["seconds"]), str(event["outcome"])
                    step.facts.update(facts)
                    break
    return steps


def read_warnings(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """The warnings of an event log, each once."""
    return list(dict.fromkeys(str(event["message"]) for event in events if event["event"] == "warning"))
