"""A killed run goes on to the same end, repeats at most the node in flight, and leaves nothing half-written."""

import json
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

SCENARIO = Path(__file__).with_name("scenario.py")

Trial = dict[str, Any]


def trials(folder: Path, rounds: int, *mode: str) -> tuple[Trial, list[Trial]]:
    """The reference and the killed trials of a scenario."""
    done = subprocess.run(
        [sys.executable, str(SCENARIO), str(folder), str(rounds), *mode], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    reference, *killed = [json.loads(line) for line in done.stdout.splitlines()]
    return reference, killed


def assert_nothing_lost(trial: Trial, reference: Trial) -> None:
    name = trial["trial"]
    assert trial["resumed"] == 0, name
    assert trial["final"] == reference["final"], name
    assert trial["problems"] == [], name
    executions = trial["executions"]
    assert [node for node, _ in groupby(executions)] == reference["executions"], name
    assert len(executions) <= len(reference["executions"]) + 1, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "kills"), [(1, 10), pytest.param(2, 100, marks=[pytest.mark.acceptance, pytest.mark.timeout(1800)])]
)
def test_killed_at_random_instants(tmp_path: Path, seed: int, kills: int) -> None:
    reference, killed = trials(tmp_path, 4, "random", str(seed), str(kills))
    assert len(reference["executions"]) == 17
    assert len(killed) == kills
    for trial in killed:
        assert_nothing_lost(trial, reference)
    assert any(trial["killed"] and 0 < trial["executed_before"] < 17 for trial in killed), "no kill hit the run"


@pytest.mark.slow
def test_killed_at_every_transaction(tmp_path: Path) -> None:
    reference, killed = trials(tmp_path, 2, "points")
    points = json.loads((tmp_path / "points.json").read_text())
    assert len(points) >= 3 * 2 * len(reference["executions"])  # a node's writes and its checkpoint, three phases each
    assert len(killed) == len(points)
    assert all(trial["killed"] for trial in killed)
    for trial in killed:
        assert_nothing_lost(trial, reference)
    assert any(len(trial["executions"]) > len(reference["executions"]) for trial in killed), "no kill hit a node"
