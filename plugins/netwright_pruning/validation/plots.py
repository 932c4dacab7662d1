"""The four plots of a validation, as files."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from netwright.errors import MissingDependencyError
from netwright.files import replace_file
from netwright.report.plots import plot_png
from netwright.result import PlotBlock, Series
from netwright_pruning.validation.analysis import spread
from netwright_pruning.validation.runs import ValidationRun
from netwright_pruning.validation.targets import PaperTarget

REMEDY = "pip install 'netwright[report]'"


def write_plots(runs: Sequence[ValidationRun], targets: Sequence[PaperTarget], folder: Path) -> dict[str, Path]:
    """Write `success_rate.png`, `accuracy_vs_macs.png`, `convergence_time.png` and `paper_reproduction.png`.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        UserError: The folder cannot be written.
    """
    methods = list(dict.fromkeys(run.method for run in runs))
    images = {
        "success_rate": plot_png(_success_rates(runs, methods)),
        "accuracy_vs_macs": plot_png(_accuracy_against_macs(runs, targets, methods)),
        "convergence_time": plot_png(_convergence_times(runs, methods)),
        "paper_reproduction": _heatmap(runs, targets, methods),
    }
    found = {}
    for name, image in images.items():
        if image is None:
            raise MissingDependencyError("plots need matplotlib", why="not installed", remedy=REMEDY)
        found[name] = folder / f"{name}.png"
        with replace_file(found[name]) as temporary:
            temporary.write_bytes(image)
    return found


def _success_rates(runs: Sequence[ValidationRun], methods: Sequence[str]) -> PlotBlock:
    rates = []
    for method in methods:
        own = [run.success for run in runs if run.method == method]
        rates.append(sum(own) / len(own))
    return PlotBlock(
        title="Success rate",
        mark="bars",
        x_label="method",
        y_label="share of runs whose measured figures are as published",
        series=[Series(label="success rate", x=list(methods), y=rates)],
    )


def _accuracy_against_macs(
    runs: Sequence[ValidationRun], targets: Sequence[PaperTarget], methods: Sequence[str]
) -> PlotBlock:
    """Published points, and beside them those that were measured."""
    names = {run.target for run in runs}
    shown = [target for target in targets if target.name in names]
    series = [Series(label="published", x=[target.macs for target in shown], y=[target.top_1 for target in shown])]
    for method in methods:
        own = [run for run in runs if run.method == method and run.accuracy is not None]
        if own:
            x: list[float | str] = [float(run.macs or 0) for run in own]
            series.append(Series(label=method, x=x, y=[run.accuracy or 0.0 for run in own]))
    title = "Accuracy against MACs"
    return PlotBlock(
        title=title if len(series) > 1 else f"{title} (published; not measured here)",
        mark="points",
        x_label="MACs",
        y_label="top-1 accuracy",
        series=series,
    )


def _convergence_times(runs: Sequence[ValidationRun], methods: Sequence[str]) -> PlotBlock:
    spreads = [spread([run.minutes for run in runs if run.method == method]) for method in methods]
    means = [float(found["mean"] or 0.0) for found in spreads]
    errors = [float(found["standard_error"] or 0.0) for found in spreads]
    return PlotBlock(
        title="Convergence time",
        mark="bars",
        x_label="method",
        y_label="minutes per run, mean ± standard error",
        series=[
            Series(
                label="minutes",
                x=list(methods),
                y=means,
                low=[mean - error for mean, error in zip(means, errors, strict=True)],
                high=[mean + error for mean, error in zip(means, errors, strict=True)],
            )
        ],
    )


def _heatmap(runs: Sequence[ValidationRun], targets: Sequence[PaperTarget], methods: Sequence[str]) -> bytes | None:
    """Targets by methods: how far the parameters are from the published ones, with the accuracy's difference below."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    names = [target.name for target in targets if any(run.target == target.name for run in runs)]
    errors = [[_mean(runs, name, method, "parameters_error") for method in methods] for name in names]
    figure = Figure(figsize=(2.2 + 1.3 * len(methods), 1.4 + 0.5 * len(names)), dpi=144, layout="constrained")
    axes = figure.add_subplot()
    shown = [[float("nan") if error is None else 100 * error for error in row] for row in errors]
    limit = max([abs(value) for row in shown for value in row if value == value], default=1.0) or 1.0
    image = axes.imshow(shown, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    axes.set_xticks(range(len(methods)), list(methods))
    axes.set_yticks(range(len(names)), names)
    for row, name in enumerate(names):
        for column, method in enumerate(methods):
            axes.text(column, row, _cell(runs, name, method), ha="center", va="center", fontsize=7)
    figure.colorbar(image, label="parameters against the published, %")
    figure.suptitle("Paper reproduction at the published MACs", fontsize=10)
    content = BytesIO()
    figure.savefig(content, format="png", facecolor="white", metadata={"Software": None})
    return content.getvalue()


def _mean(runs: Sequence[ValidationRun], target: str, method: str, field: str) -> float | None:
    values = [run[field] for run in runs if run.target == target and run.method == method]
    mean = spread(values)["mean"]
    return None if mean is None else float(mean)


def _cell(runs: Sequence[ValidationRun], target: str, method: str) -> str:
    parameters = _mean(runs, target, method, "parameters_error")
    accuracy = _mean(runs, target, method, "accuracy_difference")
    first = "failed" if parameters is None else f"{100 * parameters:+.1f} %"
    return f"{first}\ntop-1 {'not measured' if accuracy is None else f'{100 * accuracy:+.1f} pt'}"
