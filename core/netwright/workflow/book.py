"""The book that a workflow keeps beside its state, in the same checkpoint: what ran, how long, at what cost."""

import time
from collections.abc import Callable
from typing import Self

from pydantic import ValidationError

from netwright.errors import UserError
from netwright.files import content_key
from netwright.result import Record

TRAIL = 128
"""How many visits back a repeated state is recognised; a checkpoint carries that many short lines."""


class Visit(Record):
    """A node and the state that it was given."""

    node: str
    state: str
    """A digest of the state."""


class Book(Record):
    """What happened so far, over all parts of a resumed run; a node that was killed has left nothing here."""

    steps: int = 0
    seconds: float = 0.0
    money: float = 0.0
    visits: dict[str, int] = {}
    node_seconds: dict[str, float] = {}
    trail: list[Visit] = []
    """The last visits, oldest first."""

    def after(self, visit: Visit, *, took: float, seconds: float, money: float) -> Self:
        """The book when one more node has ended.

        Args:
            took: The node's own time in s.
            seconds: Wall time since the last entry, in s.
            money: What was spent since the last entry.
        """
        node = visit.node
        return self.model_copy(
            update={
                "steps": self.steps + 1,
                "seconds": self.seconds + seconds,
                "money": self.money + money,
                "visits": {**self.visits, node: self.visits.get(node, 0) + 1},
                "node_seconds": {**self.node_seconds, node: self.node_seconds.get(node, 0.0) + took},
                "trail": [*self.trail, visit][-TRAIL:],
            }
        )

    def loop_at(self, visit: Visit) -> list[str]:
        """The nodes of the loop that `visit` would begin again: since it ran last on the same state; or nothing."""
        for index in reversed(range(len(self.trail))):
            if self.trail[index] == visit:
                return [earlier.node for earlier in self.trail[index:]]
        return []


def read_book(text: str) -> Book:
    """The book that a checkpoint holds.

    Raises:
        UserError: It is none.
    """
    try:
        return Book.model_validate_json(text)
    except ValidationError as error:
        why = " ".join(str(error).split())
        raise UserError("the checkpoint's book cannot be read", why=why, remedy="start the run again") from None


def visit_of(node: str, state_text: str) -> Visit:
    """The visit of a node to a state."""
    return Visit(node=node, state=content_key(state_text)[:16])


class Meter:
    """Time and money since the last reading.

    Args:
        spent: What has been spent so far in this process, ever growing.
    """

    def __init__(self, spent: Callable[[], float]) -> None:
        self._spent = spent
        self._clock, self._money = time.perf_counter(), self._spent()

    def read(self) -> tuple[float, float]:
        """Seconds and money since the last reading."""
        clock, money = time.perf_counter(), self._spent()
        passed = clock - self._clock, money - self._money
        self._clock, self._money = clock, money
        return passed

    def pause(self) -> None:
        """Leave out the time that passed since the last reading."""
        self._clock = time.perf_counter()
