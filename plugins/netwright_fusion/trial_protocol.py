"""What the trial and its process say to each other."""

from typing import Annotated, Literal

from pydantic import Field

from netwright.cases import CaseOptions
from netwright.harness.protocol import Cache
from netwright.harness.variant import Variant
from netwright.result import Record

FAILED = "failed "
"""Begins an answer that says why there is none."""


class OpenRequest(Record):
    """Build the case. Answered by an empty object."""

    kind: Literal["open"] = "open"
    case: str
    options: CaseOptions
    threads: int
    seed: int


class LoadRequest(Record):
    """Load a candidate and call it. Answered by `Loaded`."""

    kind: Literal["load"] = "load"
    variant: Variant
    check: bool
    """Whether to hold its output against the float64 oracle."""


class TimeRequest(Record):
    """Time loaded candidates side by side. Answered by `Timed`."""

    kind: Literal["time"] = "time"
    labels: tuple[str, ...]
    seconds: float
    least_rounds: int
    most_rounds: int
    cache: Cache


Request = Annotated[OpenRequest | LoadRequest | TimeRequest, Field(discriminator="kind")]


class Loaded(Record):
    """A candidate that answers."""

    first_call_s: float
    """Loading and first call, where compilers compile."""
    call_ms: float
    """The shortest of a few calls."""
    complaint: str | None
    """Why its output is wrong."""


class Timed(Record):
    """Median latency by label, in ms."""

    medians: dict[str, float]
