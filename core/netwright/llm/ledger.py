"""The ledger: what a run has spent on its language model, and the caps on it."""

import threading
from collections.abc import Iterable

from netwright.llm.config import CapsConfig
from netwright.llm.errors import CapReachedError
from netwright.llm.messages import Usage


class Ledger:
    """Counts requests, tokens, money and time, and refuses to go on where a cap is reached.

    A cap is looked at before each request, so the last one may exceed a cap on tokens or money by what it takes itself.

    Args:
        spent: What the run spent before, in an earlier process: pairs of usage and seconds, one per request.
    """

    def __init__(self, caps: CapsConfig, spent: Iterable[tuple[Usage, float, int]] = ()) -> None:
        self.caps = caps
        self.requests = 0
        self.seconds = 0.0
        self.usage = Usage()
        self._lock = threading.Lock()
        self.money_spent = 0.0
        for usage, seconds, requests in spent:
            self.requests += requests
            self.charge(usage, seconds)
        self.money_spent = 0.0

    def send(self, waited: float = 0.0) -> None:
        """Count one request that is about to be sent.

        Args:
            waited: Seconds that were spent on it already, not charged yet.

        Raises:
            CapReachedError: It may not be.
        """
        with self._lock:
            for key, spent, cap, text in (
                ("calls", self.requests, self.caps.calls, f"{self.caps.calls} requests"),
                ("tokens", self.usage.tokens, self.caps.tokens, f"{self.caps.tokens} tokens"),
                ("cost", self.usage.cost or 0.0, self.caps.cost, f"{self.caps.cost} US dollars"),
                ("seconds", self.seconds + waited, self.caps.seconds, f"{self.caps.seconds} s"),
            ):
                if cap is not None and spent >= cap:
                    raise CapReachedError(
                        f"the language model may not be asked any more: llm.caps.{key} is reached", why=f"it is {text}"
                    )
            self.requests += 1

    def charge(self, usage: Usage, seconds: float) -> None:
        """Count what an answer took, or a request that got none."""
        with self._lock:
            self.usage += usage
            self.money_spent += usage.cost or 0.0
            self.seconds += seconds

    @property
    def seconds_left(self) -> float | None:
        """How much waiting the cap on time still allows; None without a cap."""
        return None if self.caps.seconds is None else max(0.0, self.caps.seconds - self.seconds)
