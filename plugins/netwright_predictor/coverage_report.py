"""What a coverage run tells: rows for comparisons, a table by family, and types that are not exact, with the reason."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from netwright.context import current_run
from netwright.formatting import format_duration, format_number
from netwright.result import Block, Measurement, PlotBlock, Series, TableBlock
from netwright_predictor.coverage import CoverageMetrics, TypeRecord

LABEL = "coverage"
REASON = 160
"""Letters of a reason that a table shows; all of it is in coverage.json."""


def coverage_blocks(records: Sequence[TypeRecord], metrics: CoverageMetrics) -> list[Block]:
    """A table by family, a plot of it, the types that are not exact, and all types."""
    return [
        _family_table(metrics),
        _family_plot(metrics),
        _reason_table(records),
        _problem_table(records),
        _full_table(records),
    ]


def coverage_measurements(metrics: CoverageMetrics) -> list[Measurement]:
    """How many types came out how: one row per family and verdict."""
    rows = []
    for family, counts in metrics.families.items():
        for verdict in ("exact", "off", "failed"):
            value = float(getattr(counts, verdict))
            rows.append(Measurement(label=LABEL, metric=f"{family}_{verdict}", value=value, unit="types"))
    return rows


def coverage_artifacts() -> dict[str, Path]:
    """The files that a coverage run leaves."""
    folder = current_run().folder
    return {"coverage": folder.artifact("coverage") / "coverage.json"} if folder is not None else {}


def _family_table(metrics: CoverageMetrics) -> TableBlock:
    rows = [
        [
            family,
            str(counts.types),
            str(counts.exact),
            str(counts.off),
            str(counts.failed),
            _share(counts.exact, counts.types),
        ]
        for family, counts in metrics.families.items()
    ]
    models = metrics.types - metrics.config_only
    rows.append(
        ["all", str(models), str(metrics.exact), str(metrics.off), str(metrics.failed), _share(metrics.exact, models)]
    )
    return TableBlock(
        title="Types whose FLOPs equal torch's count, module by module",
        columns=["family", "types", "exact", "off", "failed", "share"],
        rows=rows,
        caption=f"transformers {metrics.transformers}, default configurations; {metrics.config_only} more types have a "
        f"configuration but no model. Of the FLOPs of exact types, {100 * metrics.derived_share:.1f} % are derived, "
        "on average.",
    )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _family_plot(metrics: CoverageMetrics) -> PlotBlock:
    families = list(metrics.families)
    return PlotBlock(
        title="Types by family",
        mark="bars",
        x_label="family",
        y_label="types",
        series=[
            Series(
                label=verdict,
                x=list(families),
                y=[float(getattr(metrics.families[family], verdict)) for family in families],
            )
            for verdict in ("exact", "off", "failed")
        ],
    )


def _reason_table(records: Sequence[TypeRecord]) -> TableBlock:
    """The most frequent reasons, numbers and names in them left out."""
    counts = Counter((record.verdict, _kind(record)) for record in records if record.verdict in ("off", "failed"))
    return TableBlock(
        title="Why not exact",
        columns=["types", "verdict", "reason"],
        rows=[[str(count), verdict, kind] for (verdict, kind), count in counts.most_common(12)],
        numeric=[False, False, False],
        compact=bool(counts),
    )


def _kind(record: TypeRecord) -> str:
    if record.verdict == "off":
        return "FLOPs differ" if record.reason is None else record.reason[:60]
    return (record.reason or "").split(":")[0][:60]


def _problem_table(records: Sequence[TypeRecord]) -> TableBlock:
    rows = [
        [
            record.type,
            record.family,
            record.verdict,
            "" if record.difference is None else format_number(record.difference),
            str(record.modules_off or ""),
            _cut(record.reason or ""),
        ]
        for record in records
        if record.verdict in ("off", "failed")
    ]
    return TableBlock(
        title="Types that are not exact",
        columns=["type", "family", "verdict", "difference", "modules off", "reason"],
        rows=rows,
        numeric=[False, False, False, True, True, False],
        compact=False,
    )


def _full_table(records: Sequence[TypeRecord]) -> TableBlock:
    return TableBlock(
        title="All types",
        columns=["type", "family", "model", "verdict", "params", "FLOPs", "derived", "took"],
        rows=[
            [
                record.type,
                record.family,
                record.model_class,
                record.verdict,
                "" if record.parameters is None else format_number(record.parameters),
                "" if record.flops is None else format_number(record.flops),
                "" if record.derived_share is None else f"{100 * record.derived_share:.1f} %",
                format_duration(record.seconds) if record.seconds else "",
            ]
            for record in records
        ],
        numeric=[False, False, False, False, True, True, True, True],
        compact=False,
    )


def _cut(reason: str) -> str:
    return reason if len(reason) <= REASON else f"{reason[:REASON]}…"
