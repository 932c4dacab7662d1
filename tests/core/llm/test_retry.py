"""Pauses between attempts."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.llm.clock import Clock
from netwright.llm.errors import UnavailableError
from netwright.llm.retry import LONGEST_PAUSE, PassingError, Retrying, parse_retry_after

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def ignore(*_: object) -> None:
    """Nobody is told."""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("", None), (None, None), ("soon", None), ("nan", None), ("inf", None)],
)
def test_a_pause_in_seconds(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text, NOW) == seconds


@given(st.integers(-1000, 10_000))
def test_a_pause_until_a_date(seconds: int) -> None:
    text = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert parse_retry_after(text, NOW) == max(0, seconds)


@given(st.integers(0, 12), st.floats(0, 5))
def test_pauses_double_within_their_jitter_and_end(retries: int, backoff: float) -> None:
    pauses: list[float] = []

    def fail() -> None:
        raise PassingError("busy")

    with pytest.raises(UnavailableError):
        Retrying(retries, backoff, Clock(sleep=pauses.append)).call(fail, on_retry=ignore)
    assert len(pauses) == retries
    for number, pause in enumerate(pauses):
        longest = min(LONGEST_PAUSE, backoff * 2**number)
        assert longest / 2 <= pause <= longest


def test_pauses_stay_within_the_time_that_is_left() -> None:
    pauses: list[float] = []

    def fail() -> None:
        raise PassingError("busy", "4")

    retrying = Retrying(9, 1.0, Clock(sleep=pauses.append))
    with pytest.raises(UnavailableError, match="asks to come back in 4 s"):
        retrying.call(fail, on_retry=ignore, seconds_left=10)
    assert pauses == [4, 4]
