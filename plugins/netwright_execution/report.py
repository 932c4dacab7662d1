"""What a benchmark tells: typed metrics, tables that fit a terminal, plots for the report."""

from collections.abc import Mapping, Sequence

from netwright.harness.comparison import Claim, Comparison, Report
from netwright.harness.statistics import Ratio
from netwright.harness.timing import speedup
from netwright.result import Block, Measurement, PlotBlock, Record, Series, TableBlock, TextBlock
from netwright.specs import MetricSpec

REFERENCE = "eager"
TOP_OPS = 10
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class LabelMetrics(Record):
    """One baseline's outcome."""

    correct: bool
    failed_checks: list[str]
    latency_ms: float | None
    latency_ci_ms: tuple[float, float] | None
    first_call_s: float | None
    """Wall time of loading and of the first call, where compilers compile."""
    speedup: Claim
    """Against the fastest of the other baselines."""
    not_measured: str | None = None


class BenchmarkMetrics(Record):
    """What the agent `benchmark` found out."""

    fastest: str | None
    """The fastest correct baseline: what any headline speed-up on this case is to be measured against."""
    degenerate: str | None
    baselines: dict[str, LabelMetrics]


def benchmark_metrics(comparison: Comparison) -> BenchmarkMetrics:
    """The typed metrics of a comparison."""
    labels = list(comparison.reports)
    return BenchmarkMetrics(
        fastest=comparison.fastest(labels),
        degenerate=comparison.degenerate,
        baselines={
            label: LabelMetrics(
                correct=report.correct,
                failed_checks=[check.name for check in report.failed],
                latency_ms=report.timing.median_ms,
                latency_ci_ms=report.timing.ci_ms,
                first_call_s=report.timing.first_call_s,
                speedup=comparison.claim(label, labels),
                not_measured=report.timing.not_measured,
            )
            for label, report in comparison.reports.items()
        },
    )


def blocks(
    comparison: Comparison, metrics: BenchmarkMetrics, rows: Sequence[Measurement], specs: Mapping[str, MetricSpec]
) -> list[Block]:
    """Tables, plots and remarks, in the order of the report."""
    shown: list[Block] = [_latency_table(comparison, metrics)]
    if set(specs) - {"latency_ms"}:
        shown.append(_metrics_table(comparison, rows, specs))
    shown += _remarks(comparison)
    timed = {label: report for label, report in comparison.reports.items() if report.timing.times_ms}
    if timed:
        shown.append(_latency_plot(timed))
    shown.append(_checks_table(comparison))
    shown += [_profile_table(label, report) for label, report in timed.items() if report.trace]
    return shown


def quantity(value: float) -> str:
    """A value for reading: four digits, with a prefix where it is large."""
    factor, prefix = next(((factor, prefix) for factor, prefix in PREFIXES if abs(value) >= factor), (1.0, ""))
    return f"{value / factor:.4g} {prefix}".rstrip()


def _latency_table(comparison: Comparison, metrics: BenchmarkMetrics) -> TableBlock:
    eager = comparison.reports.get(REFERENCE)
    rows = []
    for label, report in comparison.reports.items():
        timing = report.timing
        name = f"{label} *" if label == metrics.fastest else label
        ratio = speedup(eager.timing, timing) if eager and eager.correct and report.correct else None
        latency, interval, first = "not measured", "", ""
        if timing.median_ms is not None and timing.ci_ms is not None:
            latency, interval = f"{timing.median_ms:.4g}", f"{timing.ci_ms[0]:.4g} - {timing.ci_ms[1]:.4g}"
            first = f"{timing.first_call_s:.2f}"
        rows.append([name, "yes" if report.correct else "no", latency, interval, _ratio(ratio, label), first])
    timings = [report.timing for report in comparison.reports.values() if report.timing.times_ms]
    state = (
        f"{timings[0].cache} caches, threads: {timings[0].threads}, batch: {timings[0].batch_size}" if timings else ""
    )
    return TableBlock(
        title=f"Latency of {comparison.case}",
        columns=["baseline", "ok", "ms", "95 % interval", "vs eager", "start s"],
        rows=rows,
        numeric=[False, False, True, True, True, True],
        caption="; ".join(part for part in (state, "* the fastest that is correct" if metrics.fastest else "") if part),
    )


def _ratio(ratio: Ratio | None, label: str) -> str:
    if ratio is None or label == REFERENCE:
        return ""
    return f"{ratio.value:.2f}x"


def _metrics_table(comparison: Comparison, rows: Sequence[Measurement], specs: Mapping[str, MetricSpec]) -> TableBlock:
    labels = list(comparison.reports)
    cells = {(row.label, row.metric): row for row in rows}
    return TableBlock(
        title="Metrics",
        columns=["metric", *labels],
        rows=[
            [_with_unit(specs[name]), *(_cell(cells[label, name]) for label in labels)]
            for name in specs
            if name != "latency_ms"
        ],
        compact=len(labels) <= 3,
    )


def _with_unit(spec: MetricSpec) -> str:
    return spec.name if spec.unit.lower() in spec.name else f"{spec.name}, {spec.unit}"


def _cell(row: Measurement) -> str:
    return "not measured" if row.value is None else quantity(row.value)


def _remarks(comparison: Comparison) -> list[Block]:
    remarks = [
        f"{label}: {check.name}: {check.reason}"
        for label, report in comparison.reports.items()
        for check in report.failed
    ]
    if comparison.degenerate:
        remarks.append(f"The case is degenerate: {comparison.degenerate} would pass, so no speed-up is claimed.")
    return [TextBlock(text="\n".join(remarks), title="Remarks")] if remarks else []


def _latency_plot(timed: Mapping[str, Report]) -> PlotBlock:
    intervals = [report.timing.ci_ms or (0.0, 0.0) for report in timed.values()]
    return PlotBlock(
        title="Latency",
        mark="bars",
        x_label="baseline",
        y_label="ms",
        series=[
            Series(
                label="median",
                x=list(timed),
                y=[report.timing.median_ms or 0.0 for report in timed.values()],
                low=[low for low, _ in intervals],
                high=[high for _, high in intervals],
            )
        ],
        caption="Medians with their 95 % bootstrap intervals.",
    )


def _checks_table(comparison: Comparison) -> TableBlock:
    labels = list(comparison.reports)
    outcomes = {label: {check.name: check.outcome for check in comparison.reports[label].checks} for label in labels}
    names = list(dict.fromkeys(name for label in labels for name in outcomes[label]))
    return TableBlock(
        title="Checks",
        columns=["check", *labels],
        rows=[[name, *(outcomes[label].get(name, "not made") for label in labels)] for name in names],
        numeric=[False] * (len(labels) + 1),
        compact=False,
    )


def _profile_table(label: str, report: Report) -> TableBlock:
    ops = report.profile.ops if report.profile else ()
    total = sum(op.self_ms for op in ops) or 1.0
    return TableBlock(
        title=f"Most expensive operators of {label}",
        columns=["operator", "calls", "self ms", "share"],
        rows=[[op.name, str(op.calls), f"{op.self_ms:.3f}", f"{op.self_ms / total:.1%}"] for op in ops[:TOP_OPS]],
        compact=False,
    )
