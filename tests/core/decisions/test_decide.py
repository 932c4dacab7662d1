"""Decisions by rule and by model, and the log of who took them."""

import json
from collections.abc import Callable

import pytest

from netwright.context import RunContext
from netwright.decisions import Choice, ChoiceQuestion, Decision, Question, decide
from netwright.errors import NetwrightError, UserError
from netwright.llm import LlmConfig
from netwright.llm.backends.scripted import ScriptedBackend
from netwright.llm.errors import UnavailableError
from netwright.runfolder import read_json_lines

Script = Callable[..., ScriptedBackend]


class DepthDecision(Decision):
    depth: int


class Depth(Question[DepthDecision]):
    """How deep the network shall be.

    Deeper networks are slower.
    """

    deepest: int

    def rule(self) -> DepthDecision:
        return DepthDecision(depth=self.deepest, reasons=["as deep as may be"])

    def check(self, decision: DepthDecision) -> None:
        if not 0 < decision.depth <= self.deepest:
            raise ValueError(f"depth must be between 1 and {self.deepest}")


class Kernel(ChoiceQuestion):
    """Which kernel is tried first."""

    def rule(self) -> Choice:
        return Choice(choice=next(iter(self.options)))


class Careless(Depth):
    """Whose rule is wrong."""

    def rule(self) -> DepthDecision:
        return DepthDecision(depth=0)


def log(run: RunContext) -> list[dict[str, object]]:
    assert run.folder is not None
    return [{k: v for k, v in record.items() if k != "time"} for record in read_json_lines(run.folder.decisions_file)]


def test_without_a_model_the_rule_decides(run_context: RunContext) -> None:
    assert decide(Depth(deepest=5)) == DepthDecision(depth=5, reasons=["as deep as may be"])
    (record,) = log(run_context)
    assert record == {
        "question": "How deep the network shall be",
        "answer": {"depth": 5},
        "taken_by": "rule",
        "reasons": ["as deep as may be"],
        "inputs_hash": Depth(deepest=5).inputs_hash,
    }
    assert not (run_context.folder and run_context.folder.llm.exists())


def test_outside_a_run_it_decides_too() -> None:
    assert decide(Depth(deepest=5)).depth == 5


def test_a_model_decides_and_is_told_all_it_needs(run_context: RunContext, scripted_model: Script) -> None:
    run_context.role = "You build networks."
    backend = scripted_model({"depth": 3, "reasons": ["speed"]})
    decision = run_context.decide(Depth(deepest=5))
    assert type(decision) is DepthDecision
    assert decision == DepthDecision(depth=3, reasons=["speed"])
    system, user = backend.requests[0].messages
    assert system.content.startswith("You build networks.\n")
    assert "Deeper networks are slower." in user.content
    assert '"deepest": 5' in user.content
    (record,) = log(run_context)
    assert (record["taken_by"], record["model"], record["cost"]) == ("model", "scripted", 0.0)


def test_the_questions_check_holds_for_models_and_can_be_repaired(
    run_context: RunContext, scripted_model: Script
) -> None:
    backend = scripted_model({"depth": 50}, {"depth": 4})
    assert decide(Depth(deepest=5)).depth == 4
    assert "depth must be between 1 and 5; you wrote" in backend.requests[1].messages[-1].content


def test_an_option_that_is_none_is_refused(run_context: RunContext, scripted_model: Script) -> None:
    question = Kernel(options={"matmul": "the largest", "softmax": "the slowest"})
    scripted_model({"choice": "gelu"}, {"choice": "softmax"})
    assert decide(question).choice == "softmax"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([{"depth": 50}] * 3, "depth must be between 1 and 5"),
        (["I would say five."] * 3, "it holds no JSON object"),
        ([{"depth": "NaN"}] * 3, "depth"),
        ([{"depth": 4, "deep": True}] * 3, "Extra inputs are not permitted"),
        ([UnavailableError("the line is dead")], "the line is dead"),
    ],
)
def test_what_never_becomes_a_decision_falls_back_to_the_rule(
    run_context: RunContext, scripted_model: Script, script: list[object], reason: str
) -> None:
    scripted_model(*script)
    assert decide(Depth(deepest=5)).depth == 5
    (record,) = log(run_context)
    assert record["taken_by"] == "rule"
    assert record["model"] == "scripted"
    assert reason in str(record["fallback"])
    assert (record["tokens"] == 0) == (reason == "the line is dead")
    assert run_context.folder is not None
    (warning,) = [e for e in read_json_lines(run_context.folder.events_file) if e["event"] == "warning"]
    assert warning["message"].startswith("decided by rule instead of scripted: How deep the network shall be: ")


def test_settings_that_are_wrong_end_the_run_and_are_no_fallback(run_context: RunContext) -> None:
    run_context.llm = LlmConfig(backend="command", command="no-such-program")
    with pytest.raises(UserError, match="there is no command 'no-such-program'"):
        decide(Depth(deepest=5))


def test_a_rule_that_breaks_the_check_is_an_error(run_context: RunContext) -> None:
    with pytest.raises(NetwrightError, match="the rule of 'Whose rule is wrong' gives no valid answer"):
        decide(Careless(deepest=5))


def test_another_run_can_be_named(run_context: RunContext) -> None:
    other = RunContext(backend=ScriptedBackend([json.dumps({"depth": 2})]))
    assert decide(Depth(deepest=5), other).depth == 2
    assert log(run_context) == []


def test_equal_questions_have_equal_hashes() -> None:
    assert Depth(deepest=5).inputs_hash == Depth(deepest=5).inputs_hash
    assert len({Depth(deepest=5).inputs_hash, Depth(deepest=6).inputs_hash, Careless(deepest=5).inputs_hash}) == 3


def test_a_question_without_a_decision_is_a_mistake() -> None:
    class Vague(Question):  # type: ignore[type-arg]
        """What now."""

        def rule(self) -> Decision:
            return Decision()

    with pytest.raises(TypeError, match="names no decision"):
        Vague.decision_class()
