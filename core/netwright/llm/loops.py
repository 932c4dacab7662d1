"""Loop detection: the same question answered in the same way, again and again."""

import threading
from collections import Counter

from netwright.llm.errors import RepetitionError


class LoopGuard:
    """Refuses what has had the same outcome `limit` times.

    Args:
        what: What is counted, for the message.
    """

    def __init__(self, what: str, limit: int) -> None:
        self.what = what
        self.limit = limit
        self._outcomes: dict[str, Counter[str]] = {}
        self._lock = threading.Lock()

    def check(self, question: str) -> None:
        """Let a question pass, named by its key.

        Raises:
            RepetitionError: It had one and the same outcome as often as is allowed.
        """
        with self._lock:
            most = max(self._outcomes.get(question, Counter[str]()).values(), default=0)
        if most >= self.limit:
            raise RepetitionError(
                f"the language model goes round in circles: {self.what} {most} times",
                why=f"llm.repeats is {self.limit}",
            )

    def note(self, question: str, outcome: str) -> None:
        """Remember how a question came out, both named by their keys."""
        with self._lock:
            self._outcomes.setdefault(question, Counter())[outcome] += 1
