"""The report: rows for sweeps, and tables that fit a terminal."""

import pytest
from rich.console import Console

from netwright.render import table_for
from netwright.result import PlotBlock, TableBlock, TextBlock
from netwright_pruning.metrics import Figures, MethodReport, PrunerMetrics, Stages
from netwright_pruning.outcome import BudgetOutcome
from netwright_pruning.report import blocks, measurements
from netwright_training import EpochRecord


def outcome(*, within: bool = True) -> BudgetOutcome:
    return BudgetOutcome(
        metric="macs",
        unpruned=194_199_552,
        target=58_259_865.6,
        tolerance=0.01,
        achieved=58_061_824,
        error=-0.0034 if within else 0.05,
        within=within,
        round_to=8,
        attempts=[],
    )


def epochs(*accuracies: float) -> list[EpochRecord]:
    return [
        EpochRecord(
            epoch=number,
            train_loss=0.1,
            validation_loss=0.1,
            metrics={"accuracy": accuracy},
            learning_rate=0.1,
            seconds=1.0,
        )
        for number, accuracy in enumerate(accuracies, start=1)
    ]


def method(label: str, *, timed: bool = True, within: bool = True) -> MethodReport:
    latency = {"latency_ms": 123.4, "latency_ci_ms": (121.2, 125.6)} if timed else {}
    return MethodReport(
        label=label,
        stages=Stages(pruned=0.1, recalibrated=0.95, fine_tuned=0.991),
        after=Figures(parameters=96_890, macs=58_061_824, accuracy=0.991, **latency),
        speedup=2.345 if timed else None,
        speedup_ci=(2.301, 2.389) if timed else None,
        budget=outcome(within=within),
        widths={"stem.0": (32, 16)},
        history=epochs(0.97, 0.99),
        seconds=1.0,
    )


def with_data(*, within: bool = True) -> PrunerMetrics:
    methods = [method("magnitude_l1", within=within), method("a_stranger", within=within)]
    return PrunerMetrics(
        score="accuracy",
        best="magnitude_l1",
        before=Figures(
            parameters=308_074, macs=194_199_552, latency_ms=289.4, latency_ci_ms=(287.1, 291.2), accuracy=0.994
        ),
        after=methods[0].after,
        budget=methods[0].budget,
        attempts=[],
        methods=methods,
        training=epochs(0.5, 0.9, 0.99),
    )


def without_data() -> PrunerMetrics:
    missing = {"accuracy": "the case has no data", "latency_ms": "the worker died"}
    figures = Figures(parameters=100, macs=200, not_measured=missing)
    report = method("random", timed=False).model_copy(update={"stages": Stages(), "after": figures, "history": []})
    return PrunerMetrics(
        score=None,
        best="random",
        before=Figures(parameters=200, macs=400, not_measured=missing),
        after=figures,
        budget=report.budget,
        attempts=[],
        methods=[report],
    )


def test_every_figure_has_a_row_with_its_stage() -> None:
    rows = {(row.label, row.metric, row.stage): row for row in measurements(with_data())}
    assert rows["unpruned", "accuracy", "before"].value == 0.994
    assert rows["unpruned", "latency_ms", "before"].ci == (287.1, 291.2)
    assert [rows["magnitude_l1", "accuracy", stage].value for stage in ("pruned", "recalibrated", "fine_tuned")] == [
        0.1,
        0.95,
        0.991,
    ]
    assert rows["magnitude_l1", "parameters", "fine_tuned"].value == 96_890
    assert rows["magnitude_l1", "macs", "fine_tuned"].unit == "MACs"
    assert rows["magnitude_l1", "speedup", "fine_tuned"].ci == (2.301, 2.389)
    assert len(rows) == len(measurements(with_data()))


def test_what_was_not_measured_says_why() -> None:
    rows = {(row.label, row.metric): row for row in measurements(without_data())}
    assert rows["random", "accuracy"].value is None
    assert rows["random", "accuracy"].not_measured == "the case has no data"
    assert rows["random", "latency_ms"].not_measured == "the worker died"
    assert rows["random", "speedup"].not_measured == "the worker died"


def headline(metrics: PrunerMetrics) -> str:
    block = blocks(metrics)[0]
    assert isinstance(block, TextBlock)
    return block.text


def test_the_headline_says_what_was_gained_and_lost() -> None:
    assert headline(with_data()) == (
        "Of 2 methods, magnitude_l1 is best on the validation split: it keeps 29.9 % of the MACs, runs 2.35x as fast "
        "as the unpruned model and has a top-1 accuracy of 99.1 % on the test split (99.4 % before pruning)."
    )
    assert headline(without_data()) == "random keeps 29.9 % of the MACs."


def test_the_headline_admits_a_missed_budget() -> None:
    assert headline(with_data(within=False)).endswith("The budget is missed by +5.0 %: widths are multiples of 8.")


@pytest.mark.parametrize("metrics", [with_data(), without_data()])
def test_tables_fit_80_columns(metrics: PrunerMetrics) -> None:
    for block in blocks(metrics):
        if isinstance(block, TableBlock) and block.compact:
            assert Console(width=200).measure(table_for(block)).maximum <= 80


def test_the_plots_show_trade_off_stages_latency_and_curves() -> None:
    plots = {block.title: block for block in blocks(with_data()) if isinstance(block, PlotBlock)}
    trade_off = plots["Top-1 accuracy against MACs"]
    assert trade_off.caption.endswith("On the Pareto front: magnitude_l1, a_stranger, unpruned.")
    assert [series.label for series in trade_off.series] == ["unpruned", "magnitude_l1", "a_stranger"]
    assert trade_off.series[1].x == [58_061_824]
    assert trade_off.series[1].y == [0.991]
    assert plots["Top-1 accuracy at each stage"].series[0].y == [0.994, 0.1, 0.95, 0.991]
    assert plots["Latency"].series[0].low == [287.1, 121.2, 121.2]
    assert plots["Learning curves"].series[0].y == [0.5, 0.9, 0.99]


def test_without_data_there_are_costs_only() -> None:
    titles = [block.title for block in blocks(without_data())]
    assert titles == ["Result", "Cost", "Output channels"]
