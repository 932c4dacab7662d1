"""One child per item: whatever one does, the others go on, and its end is told in one line."""

import pytest

from netwright_predictor.isolation import Outcome, run_isolated

GIB = 1 << 30


def run(*expressions: str, workers: int = 2, seconds: float = 60.0) -> dict[str, Outcome[object]]:
    """Evaluates expressions, each in a child."""
    return dict(run_isolated(eval, expressions, workers=workers, seconds=seconds, memory=GIB, preload=()))


def test_every_item_is_done_in_a_process_of_its_own() -> None:
    outcomes = run("6 * 7", "__import__('os').getpid()", "[1][0]", workers=1)
    assert list(outcomes) == ["6 * 7", "__import__('os').getpid()", "[1][0]"]
    assert outcomes["6 * 7"].value == 42
    assert outcomes["6 * 7"].failure is None
    assert outcomes["6 * 7"].seconds > 0
    assert outcomes["__import__('os').getpid()"].value != __import__("os").getpid()


@pytest.mark.parametrize(
    ("expression", "failure"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("bytearray(1 << 36)", "MemoryError"),
        ("__import__('os').abort()", "the process died of SIGABRT"),
        ("__import__('os')._exit(3)", "the process ended with code 3"),
        ("exit(4)", "the process ended with code 4"),
    ],
)
def test_what_goes_wrong_is_told_and_hurts_nobody_else(expression: str, failure: str) -> None:
    outcomes = run(expression, "'fine'")
    assert (outcomes[expression].value, outcomes[expression].failure) == (None, failure)
    assert outcomes["'fine'"].value == "fine"


def test_what_takes_too_long_is_ended() -> None:
    endless = "__import__('time').sleep(3600)"
    outcomes = run(endless, seconds=0.5)
    assert outcomes[endless].failure == "took more than 0.5 s"
