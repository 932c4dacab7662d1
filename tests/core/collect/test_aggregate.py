"""Groups of measurements over seeds."""

import math
import statistics
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.collect.aggregate import aggregate, mean_and_error, varying_keys
from netwright.result import Measurement, Result


def run(seed: int, rows: list[Measurement], *, agent: str = "pruner", **config: Any) -> Result:
    settings = {"agent": {"name": agent}, "seed": seed, **config}
    return Result(
        status="ok",
        agent=agent,
        case="digits_cnn",
        config=settings,
        config_hash=str(settings),
        seed=seed,
        started=datetime(2026, 1, 1, tzinfo=UTC),
        duration_s=1.0,
        measurements=rows,
    )


def row(value: float | None, label: str = "taylor", metric: str = "accuracy", **details: Any) -> Measurement:
    return Measurement(label=label, metric=metric, value=value, **details)


def test_seeds_become_mean_and_standard_error() -> None:
    groups = aggregate([run(0, [row(0.9)]), run(1, [row(0.94)]), run(2, [row(0.95)])])
    assert len(groups) == 1
    assert groups[0].seeds == [0, 1, 2]
    assert groups[0].n == 3
    assert groups[0].mean == pytest.approx(0.93)
    assert groups[0].standard_error == pytest.approx(0.0152753, rel=1e-5)  # by hand: sqrt(0.0014 / 2 / 3)


def test_one_seed_has_no_standard_error() -> None:
    (group,) = aggregate([run(0, [row(0.9)])])
    assert (group.mean, group.standard_error) == (0.9, None)


def test_runs_of_one_seed_count_once() -> None:
    """A reference that two jobs of each seed measure again has as many replicates as there are seeds."""
    jobs = [run(seed, [row(value, "eager")], job=job) for job in "ab" for seed, value in ((0, 1.0), (1, 3.0))]
    jobs = [job.model_copy(update={"config": {"agent": {"name": "pruner"}}}) for job in jobs]
    (group,) = aggregate(jobs)
    assert (group.n, group.mean, group.standard_error) == (2, 2.0, 1.0)


def test_labels_metrics_stages_units_and_cases_stay_apart() -> None:
    rows = [
        row(1.0),
        row(2.0, label="random"),
        row(3.0, metric="mse"),
        row(4.0, stage="before"),
        row(5.0, unit="%"),
        row(6.0, case="other"),
    ]
    assert [group.mean for group in aggregate([run(0, rows)])] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_settings_that_vary_separate_groups_and_are_shown() -> None:
    runs = [run(seed, [row(0.9)], agent="p", options={"macs": macs}) for macs in (0.3, 0.5) for seed in (0, 1)]
    assert varying_keys(runs) == ["options.macs"]
    assert [(group.settings, group.n) for group in aggregate(runs)] == [
        ({"options.macs": "0.3"}, 2),
        ({"options.macs": "0.5"}, 2),
    ]


def test_seed_baseline_case_and_sweep_are_no_settings() -> None:
    runs = [
        run(0, [], baseline="a", case="x", sweep={"name": "s", "resume": False}, workspace="one"),
        run(1, [], baseline=["b"], case="y", sweep={"name": "t", "resume": True}, workspace="two"),
    ]
    assert varying_keys(runs) == []


def test_a_setting_that_only_some_runs_have_varies() -> None:
    runs = [run(0, [row(1.0)], options=None), run(0, [row(2.0)], options={"M": 4})]
    assert varying_keys(runs) == ["options.M"]
    assert [group.settings for group in aggregate(runs)] == [{}, {"options.M": "4"}]


def test_settings_of_different_agents_are_not_compared() -> None:
    assert varying_keys([run(0, [], agent="a", x=1), run(0, [], agent="b", y=2)]) == []


def test_missing_values_keep_their_reasons() -> None:
    runs = [run(0, [row(None, not_measured="no CUDA device")]), run(1, [row(2.0)]), run(2, [row(None)])]
    (group,) = aggregate(runs)
    assert (group.seeds, group.mean) == ([1], 2.0)
    assert group.not_measured == ["no CUDA device", "no reason given"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_mean_and_error_agree_with_the_standard_library(values: list[float]) -> None:
    mean, error = mean_and_error(values)
    assert mean == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert error == pytest.approx(statistics.stdev(values) / math.sqrt(len(values)), abs=1e-6)


def test_values_that_are_no_numbers_do_not_stop_the_others() -> None:
    assert mean_and_error([]) == (None, None)
    mean, _ = mean_and_error([math.inf, -math.inf, math.nan])
    assert mean is not None
    assert math.isnan(mean)
