"""Tests of what a benchmark tells."""

import pytest
from rich.console import Console

from netwright.harness import Comparison, Timing, Variant
from netwright.harness.comparison import Report
from netwright.harness.examination import CheckResult
from netwright.harness.protocol import OpTime, Profiled
from netwright.registry import registry
from netwright.result import Measurement, PlotBlock, TableBlock, TextBlock
from netwright_execution.report import benchmark_metrics, blocks, quantity


def report(label: str, milliseconds: float, *, failed: str | None = None, profiled: bool = False) -> Report:
    timing = Timing(
        label=label,
        times_ms=(milliseconds,) * 3,
        median_ms=milliseconds,
        ci_ms=(milliseconds, milliseconds),
        threads=2,
        batch_size=8,
        first_call_s=1.0,
    )
    if failed:
        timing = Timing(label=label, not_measured=f"it failed the check '{failed}'")
    checks = (CheckResult(name=failed or "accuracy", outcome="failed" if failed else "passed", reason=failed or ""),)
    ops = (OpTime(name="aten::addmm", device="cpu", calls=3, self_ms=3.0, total_ms=3.0),)
    return Report(
        variant=Variant(label=label),
        correct=not failed,
        checks=checks,
        timing=timing,
        profile=Profiled(profiled_calls=1, ops=ops, dtypes={}, flops=1, allocated_bytes=1) if profiled else None,
        trace="trace.json" if profiled else None,
    )


COMPARISON = Comparison(
    case="timm:resnet18",
    seed=0,
    reports={
        "eager": report("eager", 8.0, profiled=True),
        "torch_compile": report("torch_compile", 4.0),
        "torch_compile_max_autotune": report("torch_compile_max_autotune", 0.0, failed="accuracy"),
    },
)
ROWS = [
    Measurement(label=label, metric=name, value=value, unit=unit, not_measured=None if value else "it hung")
    for label in COMPARISON.reports
    for name, value, unit in (("latency_ms", 4.0, "ms"), ("macs", 1.8e9, "MACs"), ("throughput", None, "samples/s"))
]


def shown() -> list[TableBlock | TextBlock | PlotBlock]:
    specs = {name: registry().metric(name) for name in ("latency_ms", "macs", "throughput")}
    return list(blocks(COMPARISON, benchmark_metrics(COMPARISON), ROWS, specs))


def test_metrics_name_the_fastest_that_is_correct() -> None:
    metrics = benchmark_metrics(COMPARISON)
    assert metrics.fastest == "torch_compile"
    assert metrics.baselines["torch_compile"].speedup.value == 2.0
    assert metrics.baselines["torch_compile_max_autotune"].failed_checks == ["accuracy"]
    assert metrics.baselines["torch_compile_max_autotune"].not_measured is not None


def test_the_latency_table() -> None:
    table = shown()[0]
    assert isinstance(table, TableBlock)
    assert table.rows == [
        ["eager", "yes", "8", "8 - 8", "", "1.00"],
        ["torch_compile *", "yes", "4", "4 - 4", "2.00x", "1.00"],
        ["torch_compile_max_autotune", "no", "not measured", "", "", ""],
    ]
    assert "cold caches, threads: 2, batch: 8" in table.caption


def test_the_other_metrics_stand_side_by_side() -> None:
    table = shown()[1]
    assert isinstance(table, TableBlock)
    assert table.rows == [["macs", *["1.8 G"] * 3], ["throughput, samples/s", *["not measured"] * 3]]


def test_failures_are_remarked_on_and_every_check_is_listed() -> None:
    remarks = next(block for block in shown() if isinstance(block, TextBlock))
    assert remarks.text == "torch_compile_max_autotune: accuracy: accuracy"
    checks = next(block for block in shown() if block.title == "Checks")
    assert isinstance(checks, TableBlock)
    assert checks.rows == [["accuracy", "passed", "passed", "failed"]]


def test_a_profiled_baseline_shows_its_operators() -> None:
    table = shown()[-1]
    assert isinstance(table, TableBlock)
    assert table.title == "Most expensive operators of eager"
    assert table.rows == [["aten::addmm", "3", "3.000", "100.0%"]]


def test_the_plot_has_a_bar_with_its_interval_per_timed_baseline() -> None:
    plot = next(block for block in shown() if isinstance(block, PlotBlock))
    assert plot.series[0].x == ["eager", "torch_compile"]
    assert plot.series[0].y == plot.series[0].low == plot.series[0].high == [8.0, 4.0]


def test_tables_of_the_terminal_fit_in_80_columns() -> None:
    for block in shown():
        if isinstance(block, TableBlock) and block.compact:
            widest = max(sum(len(cell) + 2 for cell in row) for row in block.rows)
            assert widest <= 80, block.title
    assert Console(width=80).width == 80


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.81e12, "1.81 T"), (11_689_512, "11.69 M"), (-2500.0, "-2.5 k"), (12.345678, "12.35"), (0.5, "0.5")],
)
def test_quantities_for_reading(value: float, text: str) -> None:
    assert quantity(value) == text
