"""The agents' questions: the rule learns from attempts, and checks refuse what is unsafe, whoever proposes it."""

from collections.abc import Callable

import pytest

from netwright.context import RunContext
from netwright.llm.backends.scripted import ScriptedBackend
from netwright.runfolder import read_json_lines
from netwright_pruning.agents.questions import (
    STEPS,
    LayerFacts,
    NextStep,
    NextStrategy,
    Reading,
    ReadingDecision,
    ShareOut,
)
from netwright_pruning.agents.records import AttemptRecord, ProxyScore, best_explored, best_of_all

Script = Callable[..., ScriptedBackend]
ALLOCATIONS = {"global": "together", "even": "apart"}
LAYERS = [
    LayerFacts(name="stem", kind="convolution", units=32, limit=0.5, damage=1.0, gain=0.1),
    LayerFacts(name="body", kind="convolution", units=64, limit=0.9, damage=0.01, gain=0.4),
    LayerFacts(name="tail", kind="linear", units=64, limit=0.9, damage=0.1, gain=0.2),
]


def attempt(number: int, criterion: str, allocation: str, score: float, loss: float, **more: object) -> AttemptRecord:
    values = {"number": number, "criterion": criterion, "allocation": allocation, "pruning_ratio": 0.9, **more}
    return AttemptRecord.model_validate({**values, "proxy": ProxyScore(score=score, loss=loss)})


def strategies(*attempts: AttemptRecord, step: str = "explore", largest: float = 0.95) -> NextStrategy:
    return NextStrategy(
        architecture="convolutional",
        metric="macs",
        target_ratio=0.9,
        max_ratio=largest,
        criteria=["taylor", "magnitude_l2"],
        allocations=ALLOCATIONS,
        attempts=list(attempts),
        step=step,
    )


def steps(*attempts: AttemptRecord, untried: int = 2, criteria: int = 0, epochs: int = 3, left: int = 5) -> NextStep:
    return NextStep(
        options=STEPS,
        attempts=list(attempts),
        untried=untried,
        untried_criteria=criteria,
        iterations_left=left,
        epochs_left=epochs,
        threshold=0.005,
    )


def test_every_criterion_has_its_turn_then_the_best_ones_allocations() -> None:
    first = attempt(1, "taylor", "global", 0.5, 1.0)
    second = attempt(2, "magnitude_l2", "global", 0.7, 0.8)
    chosen = [strategies(*tried).rule() for tried in ([], [first], [first, second])]
    names = [(decision.importance_criterion, decision.allocation) for decision in chosen]
    assert names == [("taylor", "global"), ("magnitude_l2", "global"), ("magnitude_l2", "even")]
    assert [decision.pruning_ratio for decision in chosen] == [0.9, 0.9, 0.9]
    assert [decision.confidence for decision in chosen] == [0.5, 0.5, 0.7]


def test_it_commits_to_the_best_attempt() -> None:
    tried = [attempt(1, "taylor", "global", 0.5, 1.0), attempt(2, "taylor", "even", 0.7, 0.8)]
    decision = strategies(*tried, step="commit").rule()
    assert (decision.importance_criterion, decision.allocation) == ("taylor", "even")


def test_accuracies_within_a_percent_are_told_apart_by_the_loss() -> None:
    tried = [attempt(1, "a", "global", 0.991, 0.5), attempt(2, "b", "global", 0.989, 0.1)]
    best = best_explored(tried)
    assert best is not None
    assert best.number == 2
    missed = [tried[0], tried[1].model_copy(update={"within": False})]
    assert best_explored(missed) == tried[0]


def test_a_training_that_makes_it_worse_beyond_chance_is_rolled_back() -> None:
    explored = attempt(1, "a", "global", 0.9, 0.5, validation_score=0.9, validation_error=0.02)
    beaten = attempt(2, "b", "global", 0.8, 0.6, validation_score=0.99, validation_error=0.01)
    equal = attempt(3, "a", "global", 0.9, 0.5, step="commit", validation_score=0.89)
    worse = attempt(3, "a", "global", 0.9, 0.5, step="commit", validation_score=0.87)
    on_the_way = attempt(3, "a", "global", 0.9, 0.5, step="commit", validation_score=1.0, final=False)
    assert best_of_all([explored, beaten, equal]) == equal
    assert best_of_all([explored, beaten, worse]) == explored
    assert best_of_all([explored, beaten, on_the_way]) == explored
    assert best_of_all([explored, equal.model_copy(update={"within": False})]) == explored
    assert best_of_all([equal]) == equal
    assert best_of_all([]) is None


def test_a_regression_is_rolled_back_by_its_loss() -> None:
    proxy = {"proxy": ProxyScore(loss=1.0), "pruning_ratio": 0.5}
    explored = AttemptRecord.model_validate({**proxy, "validation_loss": 0.2})
    trained = AttemptRecord.model_validate({**proxy, "step": "commit", "validation_loss": 0.1})
    assert best_of_all([explored, trained]) == trained
    assert best_of_all([explored, trained.model_copy(update={"validation_loss": 0.3})]) == explored


def test_exploring_ends_when_it_brings_nothing() -> None:
    flat = [attempt(n, "taylor", "global", 0.5, 1.0) for n in range(1, 5)]
    rising = [attempt(n, "taylor", "global", 0.5 + 0.1 * n, 1.0) for n in range(1, 5)]
    assert steps(*flat).rule().choice == "commit"
    assert steps(*rising).rule().choice == "explore"
    assert steps(*flat, criteria=1).rule().choice == "explore"
    turns = [attempt(n, criterion, "global", 0.5, 1.0) for n, criterion in enumerate("abc", start=1)]
    assert steps(*turns).rule().choice == "explore"  # what was best has not been refined yet
    refined = [attempt(n, "a", "even", 0.5, 1.0) for n in (4, 5)]
    assert steps(*turns, refined[0]).rule().choice == "explore"
    assert steps(*turns, *refined).rule().choice == "commit"
    assert steps(*rising, left=0).rule().choice == "commit"
    assert steps(*flat, epochs=0).rule().choice == "stop"
    assert steps(AttemptRecord(failure="broken"), untried=0).rule().choice == "stop"


def test_layers_lose_in_proportion_to_what_they_save_and_cost() -> None:
    ratios = {
        kind: ShareOut(target_ratio=0.7, allocation=kind, layers=LAYERS).rule().ratios
        for kind in ("even", "sensitivity", "sensitivity_strong")
    }
    assert ratios["even"]["body"] == ratios["even"]["tail"] == pytest.approx(1 - 0.3**0.5)
    for kind in ("sensitivity", "sensitivity_strong"):
        assert ratios[kind]["stem"] < ratios[kind]["tail"] < ratios[kind]["body"]
    assert ratios["sensitivity_strong"]["body"] > ratios["sensitivity"]["body"]
    assert all(ratios[kind][layer.name] <= layer.limit for kind in ratios for layer in LAYERS)


def test_a_model_may_decide(run_context: RunContext, scripted_model: Script) -> None:
    scripted_model(
        {"importance_criterion": "magnitude_l2", "allocation": "even", "pruning_ratio": 0.8, "confidence": 0.6}
    )
    decision = run_context.decide(strategies())
    assert (decision.importance_criterion, decision.allocation, decision.pruning_ratio) == ("magnitude_l2", "even", 0.8)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("I would rather not say.", "JSON"),
        ({"importance_criterion": "tailor", "allocation": "even", "pruning_ratio": 0.8, "confidence": 1}, "tailor"),
        ({"importance_criterion": "taylor", "allocation": "odd", "pruning_ratio": 0.8, "confidence": 1}, "odd"),
        (
            {"importance_criterion": "taylor", "allocation": "even", "pruning_ratio": 0.99, "confidence": 1},
            "limit of 0.95",
        ),
        ({"importance_criterion": "taylor", "allocation": "even", "pruning_ratio": 0, "confidence": 1}, "above 0"),
    ],
)
def test_a_broken_strategy_is_told_and_replaced(
    answer: object, complaint: str, run_context: RunContext, scripted_model: Script
) -> None:
    backend = scripted_model(*[answer] * 6)
    decision = run_context.decide(strategies())
    assert decision == strategies().rule()
    assert complaint in str(backend.requests[1:])
    assert run_context.folder is not None
    (record,) = read_json_lines(run_context.folder.decisions_file)
    assert record["taken_by"] == "rule"
    assert record["fallback"]


@pytest.mark.parametrize(
    ("ratios", "complaint"),
    [
        ({"stam": 0.2}, "did you mean 'stem'"),
        ({"stem": 0.8}, r"past its safety limit of 0\.5"),
        ({"stem": -0.1}, "from 0 to 1"),
        ({"stem": 0.0}, "no layer would lose anything"),
    ],
)
def test_ratios_are_held_against_layers_and_limits(ratios: dict[str, float], complaint: str) -> None:
    question = ShareOut(target_ratio=0.7, allocation="even", layers=LAYERS)
    decision = question.decision_class()(ratios=ratios)
    with pytest.raises(ValueError, match=complaint):
        question.check(decision)


def test_a_model_cannot_repeat_itself_or_commit_to_nothing() -> None:
    tried = attempt(1, "taylor", "global", 0.5, 1.0)
    question = strategies(tried)
    with pytest.raises(ValueError, match="has been tried"):
        question.check(strategies().rule())
    for impossible in (steps(epochs=3), steps(tried, epochs=0)):
        with pytest.raises(ValueError, match="committing needs"):
            impossible.check(impossible.decision_class()(choice="commit"))
    with pytest.raises(ValueError, match="nothing is left to explore"):
        steps(tried, left=0).check(steps().decision_class()(choice="explore"))


def test_a_reading_names_only_layers_that_are_there() -> None:
    reading = Reading(model_name="net", architecture="mlp", layers=LAYERS, held=1)
    assert reading.rule().sensitive_layers[0] == "stem"
    with pytest.raises(ValueError, match="no layer named 'head'"):
        reading.check(ReadingDecision(summary="", sensitive_layers=["head"]))
