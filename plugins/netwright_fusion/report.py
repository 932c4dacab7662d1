"""What a fusion run shows: variants with proof and speed, what was rewritten, and where time went before and after."""

from collections.abc import Sequence

from netwright.formatting import format_bytes, format_number
from netwright.render import BEST
from netwright.result import Block, Measurement, PlotBlock, Series, TableBlock, TextBlock
from netwright_fusion.metrics import FusionMetrics, OpShare, VariantRecord
from netwright_fusion.plan import Plan

TIMES = "\N{MULTIPLICATION SIGN}"
TRIED_ONLY = "no finalist"


def measurements(metrics: FusionMetrics) -> list[Measurement]:
    """Latency and speed-ups of all variants that took part in the final timing, as rows for `netwright collect`."""
    rows = []
    for variant in metrics.variants:
        label, reason = variant.label, variant.not_timed
        if variant.latency_ms is None and not _is_shown(variant):
            continue
        rows.append(
            Measurement(
                label=label,
                metric="latency_ms",
                value=variant.latency_ms,
                unit="ms",
                ci=variant.latency_ci,
                not_measured=None if variant.latency_ms is not None else reason or "not timed",
            )
        )
        ratios = {
            "speedup": (variant.speedup_vs_best_baseline, variant.speedup_ci),
            "speedup_vs_eager": (variant.speedup_vs_eager, None),
        }
        for metric, (value, interval) in ratios.items():
            if value is not None:
                rows.append(Measurement(label=label, metric=metric, value=value, ci=interval))
    return rows


def blocks(metrics: FusionMetrics, plan: Plan | None) -> list[Block]:
    """Tables, plots and remarks, in the order of the report."""
    shown: list[Block] = [TextBlock(title="Result", text=headline(metrics), compact=True), _variants_table(metrics)]
    if remarks := _remarks(metrics):
        shown.append(TextBlock(title="Remarks", text="\n".join(remarks)))
    if plot := _latency_plot(metrics.variants):
        shown.append(plot)
    if metrics.rules:
        shown.append(_rules_table(metrics))
    if metrics.kernels:
        shown.append(_kernels_table(metrics))
    if plan is not None and plan.steps:
        shown.append(_plan_table(plan))
    profiles = {"Profile before": metrics.profile_before, f"Profile after: {metrics.best}": metrics.profile_after}
    return shown + [_profile_table(title, ops) for title, ops in profiles.items() if ops]


def headline(metrics: FusionMetrics) -> str:
    """What came of it, in one sentence."""
    if metrics.outcome == "degenerate":
        return f"The case is degenerate: {metrics.degenerate} would pass for its output, so no speed-up is claimed."
    if metrics.outcome == "nothing verified":
        return "Nothing could be verified."
    if metrics.outcome == "nothing to win":
        return f"Nothing to win: optimized.py is the fastest baseline, {metrics.fastest_baseline}."
    against = f"the fastest baseline, {metrics.fastest_baseline}" if metrics.fastest_baseline else "no baseline"
    ratio = f"{metrics.speedup:.2f}{TIMES} as fast as" if metrics.speedup is not None else "faster than"
    return f"optimized.py is {metrics.best}, verified and {ratio} {against}."


def _is_shown(variant: VariantRecord) -> bool:
    """Whether the terminal's table has a row for it: not for what only took part in the trial."""
    return not (variant.not_timed or "").startswith(TRIED_ONLY)


def _variants_table(metrics: FusionMetrics) -> TableBlock:
    rows = []
    for variant in metrics.variants:
        name = f"{BEST} {variant.label}" if variant.label == metrics.best else variant.label
        latency = "" if variant.latency_ms is None else f"{variant.latency_ms:.4g}"
        low, high = variant.latency_ci or (None, None)
        interval = f"{low:.3g} - {high:.3g}" if low is not None and high is not None else ""
        rows.append(
            [
                name,
                "yes" if variant.verified else "no" if variant.failed else "",
                latency or (f"({variant.trial_ms:.4g})" if variant.trial_ms is not None else "not timed"),
                interval,
                _ratio(variant.speedup_vs_eager),
                _ratio(variant.speedup_vs_best_baseline),
            ]
        )
    tried = any(variant.latency_ms is None and variant.trial_ms is not None for variant in metrics.variants)
    notes = ["ok: verified by the harness"]
    notes += ["(...): only tried, with times that compare with each other"] if tried else []
    return TableBlock(
        title="Variants",
        columns=["variant", "ok", "ms", "95 % interval", "vs eager", "vs best baseline"],
        rows=rows,
        numeric=[False, False, True, True, True, True],
        caption="\n".join(notes),
    )


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}{TIMES}"


def _remarks(metrics: FusionMetrics) -> list[str]:
    remarks = []
    if metrics.not_captured:
        remarks.append(f"There is no graph to rewrite: {metrics.not_captured}")
    for variant in metrics.variants:
        if variant.failed:
            remarks += [f"{variant.label}: {reason}" for reason in variant.failed]
        elif variant.not_timed and _is_shown(variant):
            remarks.append(f"{variant.label}: not timed: {variant.not_timed}")
    remarks += [f"Time box: {box}" for box in metrics.boxes]
    remarks += [f"Left out: {rule.site}: {rule.dropped}" for rule in metrics.rules if rule.dropped]
    remarks += [f"Left out: kernel at {kernel.site}: {kernel.dropped}" for kernel in metrics.kernels if kernel.dropped]
    return remarks


def _latency_plot(variants: Sequence[VariantRecord]) -> PlotBlock | None:
    timed = [variant for variant in variants if variant.latency_ms is not None]
    if not timed:
        return None
    intervals = [variant.latency_ci or (0.0, 0.0) for variant in timed]
    return PlotBlock(
        title="Latency",
        mark="bars",
        x_label="",
        y_label="ms",
        series=[
            Series(
                label="median",
                x=[variant.label for variant in timed],
                y=[variant.latency_ms or 0.0 for variant in timed],
                low=[low for low, _ in intervals],
                high=[high for _, high in intervals],
            )
        ],
        caption="Medians with their 95 % bootstrap intervals.",
    )


def _rules_table(metrics: FusionMetrics) -> TableBlock:
    total = metrics.flops_before
    caption = ""
    if total and metrics.flops_after is not None:
        caption = (
            f"{format_number(total)} FLOPs per call before, {format_number(metrics.flops_after)} after; "
            f"{format_bytes(metrics.bytes_before or 0)} moved before, {format_bytes(metrics.bytes_after or 0)} after"
        )
    return TableBlock(
        title="Rewrites",
        columns=["rewrite", "used", "FLOPs removed", "bytes removed", "why it is right", "holds for"],
        rows=[
            [
                rule.site,
                "yes" if rule.used else "wrong" if rule.dropped else "no",
                format_number(rule.flops_removed),
                _signed_bytes(rule.bytes_removed),
                rule.reason,
                rule.conditions,
            ]
            for rule in metrics.rules
        ],
        numeric=[False, False, True, True, False, False],
        caption=caption,
    )


def _kernels_table(metrics: FusionMetrics) -> TableBlock:
    return TableBlock(
        title="Triton kernels",
        columns=["kernel", "stands for", "verified", "used", "bytes removed", "not timed"],
        rows=[
            [
                kernel.name,
                kernel.site,
                "yes" if kernel.verified else "no",
                "yes" if kernel.used else "no",
                _signed_bytes(kernel.bytes_removed),
                kernel.not_timed or "",
            ]
            for kernel in metrics.kernels
        ],
        numeric=[False, False, False, False, True, False],
    )


def _plan_table(plan: Plan) -> TableBlock:
    return TableBlock(
        title="The analyst's plan",
        columns=["step", "what", "where", "replaces", "FLOPs", "bytes", "gain, ms", "risk"],
        rows=[
            [
                step.id,
                step.spec,
                step.site,
                ", ".join(step.target_ops),
                format_number(step.flops_removed),
                _signed_bytes(step.bytes_removed),
                f"{step.gain_ms:.3g}",
                step.risk,
            ]
            for step in plan.steps
        ],
        numeric=[False, False, False, False, True, True, True, False],
        caption=f"Gains are what the roofline of this machine promises at least. {' '.join(plan.reasons)}",
        compact=False,
    )


def _profile_table(title: str, ops: Sequence[OpShare]) -> TableBlock:
    return TableBlock(
        title=title,
        columns=["operator", "calls", "self ms", "share"],
        rows=[[op.name, str(op.calls), f"{op.self_ms:.3f}", f"{op.share:.1%}"] for op in ops],
        compact=False,
        caption="Per call.",
    )


def _signed_bytes(count: int) -> str:
    return f"-{format_bytes(-count)}" if count < 0 else format_bytes(count)
