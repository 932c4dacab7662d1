"""The clock that retries and caps go by, so that tests need not wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from netwright.files import utc_now


@dataclass(frozen=True)
class Clock:
    """How time is read and spent.

    Attributes:
        monotonic: Seconds since whenever.
        sleep: Let so many seconds pass.
        now: The time of day, in UTC.
    """

    monotonic: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = utc_now
