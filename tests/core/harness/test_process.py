"""Tests of which variants run in a cage."""

import socket

import pytest

from netwright.cases import CaseOptions
from netwright.harness import EAGER, Variant, process


@pytest.mark.parametrize(
    ("variant", "caged"),
    [
        (EAGER, False),
        (Variant(label="in a package", target="netwright_execution.baselines:torch_compile"), False),
        (Variant(label="a file", target="candidate.py:ModelNew"), True),
        (Variant(label="a file of our own", target="optimized.py:ModelNew", confined=False), False),
    ],
    ids=lambda value: value.label if isinstance(value, Variant) else "",
)
def test_a_file_runs_in_a_cage_unless_it_is_our_own(
    variant: Variant, caged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    monkeypatch.setattr(process, "CagedWorker", lambda *_, **__: started.append(True))
    monkeypatch.setattr(process, "PlainWorker", lambda *_, **__: started.append(False))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process.start_worker(theirs, "mine", CaseOptions(), variant)
    assert started == [caged]
