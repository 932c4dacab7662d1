"""fast_p: right answers counted, thresholds strict, failures by reason."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from netwright.collect import collect
from netwright.collect.fast_p import answers, fast_p, fast_p_tables, geometric_mean
from netwright.result import ErrorRecord, Result
from netwright.runfolder import RunFolder


def run_of(case: str, *, eager: float | None, fastest: float | None, verified: bool = True, **details: Any) -> Result:
    variants = [
        {"label": "eager", "verified": True, "speedup_vs_eager": 1.0},
        {
            "label": "new",
            "verified": verified,
            "speedup_vs_eager": eager,
            "speedup_vs_best_baseline": fastest,
        },
    ]
    values = {
        "status": "ok",
        "agent": "fusion",
        "case": case,
        "config": {"case": case},
        "config_hash": case,
        "seed": 0,
        "started": datetime(2026, 11, 20, tzinfo=UTC),
        "duration_s": 1.0,
        "metrics": {"best": "new", "variants": variants, "degenerate": None},
    }
    return Result.model_validate({**values, **details})


def test_thresholds_are_strict_and_failures_count_as_not_faster() -> None:
    runs = [
        run_of("a", eager=8.0, fastest=2.0),
        run_of("b", eager=1.0, fastest=0.5),
        run_of("c", eager=9.0, fastest=9.0, verified=False),
        run_of(
            "d", eager=None, fastest=None, status="failed", metrics={}, errors=[ErrorRecord(where="job", message="no")]
        ),
    ]
    (summary,) = fast_p(answers(runs))
    assert (summary.problems, summary.correct) == (4, 2)
    assert summary.vs_fastest == {"0": 0.5, "1": 0.25, "1.5": 0.25, "2": 0.0, "5": 0.0}
    assert summary.vs_eager == {"0": 0.5, "1": 0.25, "1.5": 0.25, "2": 0.25, "5": 0.25}
    assert summary.mean_vs_fastest == pytest.approx(1.0)
    assert summary.mean_vs_eager == pytest.approx(8**0.5)
    assert summary.failures == {"nothing could be verified": 1, "no": 1}


def test_a_degenerate_answer_is_right_and_not_faster() -> None:
    metrics = run_of("a", eager=None, fastest=None).metrics | {"degenerate": "zeros"}
    (summary,) = fast_p(answers([run_of("a", eager=None, fastest=None, metrics=metrics)]))
    assert summary.vs_fastest["0"] == 1.0
    assert summary.vs_fastest["1"] == 0.0
    assert summary.mean_vs_fastest is None
    assert summary.failures == {"degenerate: zeros would pass": 1}


def test_agents_that_optimise_nothing_have_no_fast_p() -> None:
    assert answers([run_of("a", eager=2.0, fastest=2.0, agent="pruner", metrics={"best": "taylor"})]) == []


def test_a_table_shows_both_denominators() -> None:
    table, failures = fast_p_tables(
        fast_p(answers([run_of("a", eager=4.0, fastest=2.5), run_of("b", eager=1, fastest=None)]))
    )
    assert table.rows[1] == ["fastest baseline", "100%", "50%", "50%", "50%", "0%", "2.500\N{MULTIPLICATION SIGN}"]
    assert failures.rows == [["no speed-up was measured", "1"]]


def test_the_geometric_mean_of_nothing_is_nothing() -> None:
    assert geometric_mean([]) is None
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)


def test_collecting_runs_gives_the_table(tmp_path: Path) -> None:
    for case in ("a", "b"):
        RunFolder(tmp_path / case).write_result(run_of(case, eager=3.0, fastest=3.0))
    collection = collect(tmp_path)
    assert collection.fast_p[0].vs_fastest["2"] == 1.0
    paths = collection.write(tmp_path)
    assert "fast_p of fusion" in paths[2].read_text()
