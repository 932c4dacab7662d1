"""What the pruner reports: rows for sweeps, tables for the terminal, plots for the page."""

from netwright.collect.pareto import pareto_front
from netwright.formatting import format_number
from netwright.result import Block, Measurement, PlotBlock, Series, TableBlock, TextBlock
from netwright_pruning.latency import UNPRUNED
from netwright_pruning.metrics import Figures, MethodReport, PrunerMetrics, Stages
from netwright_pruning.ranking import describe_multiples

STAGES = {"pruned": "pruned", "recalibrated": "BN re-estimated", "fine_tuned": "fine-tuned"}
"""Stages by name, as readers know them."""

NAMES = {"accuracy": "top-1 accuracy", "mse": "mean squared error"}


def measurements(metrics: PrunerMetrics) -> list[Measurement]:
    """One row per figure: the unpruned model's at stage "before", a method's at the stage at which it was taken."""
    rows = _figure_rows(UNPRUNED, "before", metrics.before)
    rows += _score_rows(UNPRUNED, metrics, {"before": _score(metrics.before)})
    for method in metrics.methods:
        stage = _last_stage(method.stages)
        rows += _score_rows(method.label, metrics, method.stages.model_dump(exclude_none=True))
        rows += _figure_rows(method.label, stage, method.after)
        rows.append(
            Measurement(
                label=method.label,
                metric="speedup",
                value=method.speedup,
                stage=stage,
                ci=method.speedup_ci,
                not_measured=None if method.speedup else method.after.not_measured.get("latency_ms", "no latency"),
            )
        )
    return rows


def blocks(metrics: PrunerMetrics) -> list[Block]:
    """A sentence, two tables and the plots."""
    found: list[Block] = [TextBlock(title="Result", text=_headline(metrics), compact=True)]
    if metrics.score:
        found.append(_score_table(metrics))
    found.append(_cost_table(metrics))
    if metrics.score:
        found += [_score_plot(metrics), _stage_plot(metrics)]
    if metrics.before.latency_ms is not None:
        found.append(_latency_plot(metrics))
    curves = _curves(metrics)
    if curves.series:
        found.append(curves)
    found += [_attempts_table(method, metrics) for method in metrics.methods if method.loop]
    found.append(_widths_table(metrics))
    return found


def _score(figures: Figures) -> float | None:
    return figures.mse if figures.accuracy is None else figures.accuracy


def _last_stage(stages: Stages) -> str:
    reached = [name for name in STAGES if getattr(stages, name) is not None]
    return reached[-1] if reached else "pruned"


def _figure_rows(label: str, stage: str, figures: Figures) -> list[Measurement]:
    return [
        Measurement(label=label, metric="parameters", value=figures.parameters, stage=stage),
        Measurement(label=label, metric="macs", value=figures.macs, unit="MACs", stage=stage),
        Measurement(
            label=label,
            metric="latency_ms",
            value=figures.latency_ms,
            unit="ms",
            stage=stage,
            ci=figures.latency_ci_ms,
            not_measured=figures.not_measured.get("latency_ms"),
        ),
    ]


def _score_rows(label: str, metrics: PrunerMetrics, scores: dict[str, float | None]) -> list[Measurement]:
    if metrics.score is None:
        missing = metrics.before.not_measured.get("accuracy")
        stage = "before" if label == UNPRUNED else "pruned"
        return [Measurement(label=label, metric="accuracy", value=None, stage=stage, not_measured=missing)]
    return [Measurement(label=label, metric=metrics.score, value=value, stage=stage) for stage, value in scores.items()]


def _headline(metrics: PrunerMetrics) -> str:
    budget = metrics.budget
    methods = len(metrics.methods)
    choice = metrics.best
    if methods > 1 and metrics.score:
        choice = f"Of {methods} methods, {choice} is best on the validation split: it"
    elif methods > 1:
        choice = f"{methods} methods were applied; the first, {choice},"
    facts = [f"keeps {100 * budget.achieved / budget.unpruned:.1f} % of the {_metric_name(budget.metric)}"]
    speedup = next(method.speedup for method in metrics.methods if method.label == metrics.best)
    if speedup is not None:
        facts.append(f"runs {speedup:.2f}x as fast as the unpruned model")
    if metrics.score:
        before, after = _shown(metrics, _score(metrics.before)), _shown(metrics, _score(metrics.after))
        facts.append(f"has a {NAMES[metrics.score]} of {after} on the test split ({before} before pruning)")
    sentence = f"{choice} {', '.join(facts[:-1])} and {facts[-1]}." if len(facts) > 1 else f"{choice} {facts[0]}."
    if not budget.within:
        sentence += (
            f" The budget is missed by {100 * budget.error:+.1f} %: widths are {describe_multiples(budget.round_to)}."
        )
    return sentence


def _metric_name(metric: str) -> str:
    return "MACs" if metric == "macs" else metric


def _shown(metrics: PrunerMetrics, score: float | None) -> str:
    """A score for readers: accuracy in percent."""
    if score is None:
        return "-"
    return f"{100 * score:.1f} %" if metrics.score == "accuracy" else f"{score:.4g}"


def _score_table(metrics: PrunerMetrics) -> TableBlock:
    columns = ["method", "before", *STAGES.values()]
    rows = [
        [
            method.label,
            _shown(metrics, _score(metrics.before)),
            *(_shown(metrics, getattr(method.stages, s)) for s in STAGES),
        ]
        for method in metrics.methods
    ]
    return TableBlock(
        title=f"{NAMES[metrics.score or 'accuracy'].capitalize()} on the test split",
        columns=columns,
        rows=rows,
        caption="The best epoch of each fine-tuning was chosen on the validation split.",
    )


def _cost_table(metrics: PrunerMetrics) -> TableBlock:
    rows = [_cost_row(UNPRUNED, metrics.before, "", metrics.before)]
    for method in metrics.methods:
        speedup = "-"
        if method.speedup and method.speedup_ci:
            speedup = f"{method.speedup:.2f}x [{method.speedup_ci[0]:.2f}, {method.speedup_ci[1]:.2f}]"
        rows.append(_cost_row(method.label, method.after, speedup, metrics.before))
    missing = metrics.before.not_measured.get("latency_ms")
    return TableBlock(
        title="Cost",
        columns=["method", "params", "MACs", "latency ms", "speed-up"],
        rows=rows,
        caption=f"Latency not measured: {missing}."
        if missing
        else "MACs and latency of one forward of the case's inputs; in brackets, 95 % confidence intervals.",
    )


def _cost_row(label: str, figures: Figures, speedup: str, before: Figures) -> list[str]:
    latency = "-"
    if figures.latency_ms is not None and figures.latency_ci_ms is not None:
        low, high = figures.latency_ci_ms
        latency = f"{_ms(figures.latency_ms)} [{_ms(low)}, {_ms(high)}]"
    macs = format_number(figures.macs)
    if before.macs and label != UNPRUNED:
        macs += f" ({100 * figures.macs / before.macs:.1f} %)"
    return [label, format_number(figures.parameters), macs, latency, speedup]


def _ms(latency: float) -> str:
    """Three digits, so that interval and all fit into the terminal."""
    return f"{latency:#.3g}".rstrip(".") if latency < 1000 else f"{latency:.0f}"


def _score_plot(metrics: PrunerMetrics) -> PlotBlock:
    points = [(UNPRUNED, metrics.before), *((method.label, method.after) for method in metrics.methods)]
    name = NAMES[metrics.score or "accuracy"]
    sign = 1 if metrics.score == "accuracy" else -1
    scores = {label: sign * score for label, figures in points if (score := _score(figures)) is not None}
    front = pareto_front({label: float(figures.macs) for label, figures in points}, scores)
    return PlotBlock(
        title=f"{name.capitalize()} against MACs",
        mark="points",
        x_label="MACs of one forward",
        y_label=name,
        series=[
            Series(label=label, x=[float(figures.macs)], y=[score])
            for label, figures in points
            if (score := _score(figures)) is not None
        ],
        caption=f"On the test split, at the end of each method. On the Pareto front: {', '.join(front)}.",
    )


def _stage_plot(metrics: PrunerMetrics) -> PlotBlock:
    series = []
    for method in metrics.methods:
        scores = {"before": _score(metrics.before), **{shown: getattr(method.stages, s) for s, shown in STAGES.items()}}
        known = {stage: score for stage, score in scores.items() if score is not None}
        series.append(Series(label=method.label, x=list(known), y=list(known.values())))
    name = NAMES[metrics.score or "accuracy"]
    return PlotBlock(
        title=f"{name.capitalize()} at each stage", mark="line", x_label="stage", y_label=name, series=series
    )


def _latency_plot(metrics: PrunerMetrics) -> PlotBlock:
    models = [(UNPRUNED, metrics.before), *((method.label, method.after) for method in metrics.methods)]
    timed = [(label, f.latency_ms, f.latency_ci_ms) for label, f in models if f.latency_ms is not None]
    return PlotBlock(
        title="Latency",
        mark="bars",
        x_label="method",
        y_label="ms per forward",
        series=[
            Series(
                label="latency",
                x=[label for label, _, _ in timed],
                y=[latency for _, latency, _ in timed],
                low=[interval[0] if interval else latency for _, latency, interval in timed],
                high=[interval[1] if interval else latency for _, latency, interval in timed],
            )
        ],
        caption="Medians of interleaved runs with 95 % confidence intervals.",
    )


def _curves(metrics: PrunerMetrics) -> PlotBlock:
    trainings = [("training", metrics.training), *((method.label, method.history) for method in metrics.methods)]
    name = metrics.score or "loss"
    series = []
    for label, history in trainings:
        epochs = [record for record in history if name in record.metrics]
        if epochs:
            values = [record.metrics[name] for record in epochs]
            series.append(Series(label=label, x=[float(record.epoch) for record in epochs], y=values))
    return PlotBlock(
        title="Learning curves",
        mark="line",
        x_label="epoch",
        y_label=f"validation {name}",
        series=series,
        caption="The training of the unpruned model, and each method's fine-tuning.",
    )


def _attempts_table(method: MethodReport, metrics: PrunerMetrics) -> TableBlock:
    rows = []
    for attempt in method.loop:
        proxy, missed = attempt.proxy, "" if attempt.within else " (misses the budget)"
        rows.append(
            [
                str(attempt.number),
                attempt.step,
                attempt.criterion,
                attempt.allocation,
                "-" if attempt.achieved_ratio is None else f"{100 * attempt.achieved_ratio:.1f} %{missed}",
                str(attempt.epochs),
                _shown(metrics, proxy.score if proxy else None),
                "-" if proxy is None else f"{proxy.loss:.4g}",
                "-" if attempt.validation_loss is None else f"{attempt.validation_loss:.4g}",
                attempt.failure,
            ]
        )
    columns = ["#", "step", "criterion", "allocation", "went", "epochs", "held score", "held loss", "validation loss"]
    return TableBlock(
        title=f"Attempts of {method.label}",
        columns=[*columns, "failure"],
        rows=rows,
        caption="Strategies are compared on a held slice of the training split; the test split plays no part.",
        compact=False,
    )


def _widths_table(metrics: PrunerMetrics) -> TableBlock:
    layers = list(dict.fromkeys(layer for method in metrics.methods for layer in method.widths))
    rows = []
    for layer in layers:
        found = [method.widths.get(layer) for method in metrics.methods]
        before = next(widths[0] for widths in found if widths)
        rows.append([layer, str(before), *(str(widths[1] if widths else before) for widths in found)])
    return TableBlock(
        title="Output channels",
        columns=["layer", "before", *(method.label for method in metrics.methods)],
        rows=rows,
        caption="Layers that share their channels with others stand for all of them.",
        compact=False,
    )
