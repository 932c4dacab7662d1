"""Results over seeds."""

from typing import Any

import pytest

from netwright_pruning.replication import AVERAGED, over_seeds


def result(accuracy: float | None) -> dict[str, Any]:
    return {**dict.fromkeys(AVERAGED, 1.0), "final_accuracy": accuracy, "output_dir": "runs"}


def test_means_errors_and_tests_against_the_best() -> None:
    found = over_seeds(
        {
            0: {"taylor": result(0.90), "random": result(0.70)},
            1: {"taylor": result(0.94), "random": result(0.72)},
            2: {"taylor": result(0.92)},
        }
    )
    assert found["taylor"]["final_accuracy"] == pytest.approx(0.92)
    assert found["taylor"]["standard_error"]["final_accuracy"] == pytest.approx(0.02 / 3**0.5)
    assert found["taylor"]["against_best"] is None
    assert found["random"]["seeds"] == [0, 1]
    test = found["random"]["against_best"]
    assert (test["best"], test["pairs"]) == ("taylor", 2)
    assert test["difference"] == pytest.approx(-0.21)
    assert found["taylor"]["runs"][2]["output_dir"] == "runs"


def test_what_was_not_measured_stays_so() -> None:
    found = over_seeds({0: {"taylor": result(None)}})
    assert found["taylor"]["final_accuracy"] is None
    assert found["taylor"]["macs_reduction"] == 1.0
