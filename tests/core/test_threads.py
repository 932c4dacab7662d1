"""Tests of how threads wait."""

import pytest

from netwright.harness.process import steady_variables
from netwright.threads import BRIEF_SPINNING, brief_spinning

SETTINGS = ("OMP_WAIT_POLICY", *BRIEF_SPINNING)


def test_threads_spin_briefly() -> None:
    assert brief_spinning({"PATH": "/bin"}) == BRIEF_SPINNING


@pytest.mark.parametrize("name", SETTINGS)
def test_what_the_user_set_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in SETTINGS:
        monkeypatch.delenv(each, raising=False)
    assert steady_variables().items() >= BRIEF_SPINNING.items()
    monkeypatch.setenv(name, "1")
    assert not steady_variables().keys() & BRIEF_SPINNING.keys()
