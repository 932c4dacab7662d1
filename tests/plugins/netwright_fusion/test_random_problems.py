"""All rules at once on problems that nobody chose; `benchmarks/fusion_rules.py` takes many more of them."""

from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
PROBLEMS = 24


@pytest.mark.filterwarnings("ignore")  # of whatever such problems do
def test_random_problems_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    complaint = import_module("fusion_rules").complaint
    found = {number: complaint(number) for number in range(5000, 5000 + PROBLEMS)}
    assert {number: problem for number, (problem, _) in found.items() if problem} == {}
    assert sum(applied > 0 for _, applied in found.values()) > PROBLEMS / 2
