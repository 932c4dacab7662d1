"""Whose code failed: the case's, the variant's while it was loaded, or a call's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Stage = Literal["case", "variant", "call", "integrity"]


class StageError(Exception):
    """Someone else's code raised; the cause says what."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        super().__init__(stage)


@contextmanager
def during(stage: Stage) -> Iterator[None]:
    """Say of whatever is raised inside the block at which stage that was.

    Raises:
        StageError: The block raised.
    """
    try:
        yield
    except StageError:
        raise
    except (Exception, SystemExit) as error:
        raise StageError(stage) from error
