"""Asking again: which failures pass by themselves, and how long to wait for that."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from netwright.llm.clock import Clock
from netwright.llm.errors import UnavailableError

AnswerT = TypeVar("AnswerT")

LONGEST_PAUSE = 60.0
"""Seconds between two attempts at most; a server that asks for a longer pause is given up."""


class PassingError(Exception):
    """A failure that may pass by itself: too many requests, a server in trouble, a connection cut, a time-out.

    Args:
        reason: One line.
        retry_after: The server's own word on when to come back, as its header has it: seconds or a date.
    """

    def __init__(self, reason: str, retry_after: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


@dataclass(frozen=True)
class Retrying:
    """Exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

    Attributes:
        retries: How often to repeat an attempt.
        backoff: The longest pause before the first repetition, in seconds; it doubles from one to the next.
        jitter: Draws the actual pause between half of that and all of it.
    """

    retries: int
    backoff: float
    clock: Clock = field(default_factory=Clock)
    jitter: random.Random = field(default_factory=random.Random)

    def call(
        self,
        attempt: Callable[[], AnswerT],
        *,
        on_retry: Callable[[str, float], None],
        seconds_left: float | None = None,
    ) -> AnswerT:
        """Call `attempt` until it does not raise `PassingError`.

        Args:
            on_retry: Told the reason and the pause in seconds before each repetition.
            seconds_left: How long all pauses together may last.

        Raises:
            UnavailableError: No attempt is left, or the pause would be too long.
        """
        number = 0
        while True:
            try:
                return attempt()
            except PassingError as error:
                pause = self._pause(number, error.retry_after)
                allowed = LONGEST_PAUSE if seconds_left is None else min(LONGEST_PAUSE, seconds_left)
                if number == self.retries or pause > allowed:
                    raise _given_up(error, number + 1, pause if number < self.retries else None) from error
                on_retry(error.reason, pause)
                self.clock.sleep(pause)
                number += 1
                seconds_left = None if seconds_left is None else seconds_left - pause

    def _pause(self, number: int, retry_after: str | None) -> float:
        wanted = parse_retry_after(retry_after, self.clock.now())
        if wanted is not None:
            return wanted
        longest = min(LONGEST_PAUSE, self.backoff * 2**number)
        return self.jitter.uniform(longest / 2, longest)


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """The pause in seconds that a Retry-After header (RFC 9110, section 10.2.3) asks for; None where it is none."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - now).total_seconds()
        except (ValueError, TypeError):  # no date, or one without a time zone
            return None
    return max(0.0, seconds) if seconds == seconds and seconds != float("inf") else None


def _given_up(error: PassingError, attempts: int, pause: float | None) -> UnavailableError:
    tried = "once" if attempts == 1 else f"{attempts} times"
    asked = f"; it asks to come back in {pause:.0f} s" if pause is not None else ""
    return UnavailableError(f"the language model did not answer, asked {tried}", why=f"{error.reason}{asked}")
