"""A workflow runs to its end, stops for a reason, and goes on where it stopped."""

import io
import itertools
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from rich.console import Console

from netwright.agent import Job
from netwright.context import RunContext, current_run, use_run
from netwright.errors import NetwrightError, UserError
from netwright.result import AgentResult
from netwright.runfolder import RunFolder, read_json_lines
from netwright.workflow import END, Budgets, Route, Workflow, WorkflowSettings
from netwright.workflow.record import read_records


class Count(BaseModel):
    n: int = 0
    goal: int = 3
    note: str = ""


def add(state: Count) -> dict[str, object]:
    """Count one further."""
    return {"n": state.n + 1}


def check(state: Count) -> dict[str, object]:
    return {"note": f"at {state.n}"}


def counting(
    add: Callable[[Count], Mapping[str, object] | None] = add, *, approve_before: tuple[str, ...] = ()
) -> Workflow[Count]:
    return Workflow(
        "counting",
        Count,
        nodes={"add": add, "check": check},
        edges={"add": "check", "check": Route(lambda state: "add" if state.n < state.goal else END, ("add", END))},
        approve_before=approve_before,
    )


def events(context: RunContext, *names: str) -> list[tuple[str, object]]:
    assert context.folder is not None
    found = read_json_lines(context.folder.events_file)
    return [(event["event"], event.get("step")) for event in found if not names or event["event"] in names]


def test_runs_to_its_end(run_context: RunContext) -> None:
    result = counting().run(Count())
    assert result.finished
    assert result.state == Count(n=3, note="at 3")
    assert result.visits == {"add": 3, "check": 3}
    assert result.steps == 6
    assert (result.next_node, result.resumed, result.errors) == (None, False, [])
    assert events(run_context, "step_ended")[:2] == [("step_ended", "add"), ("step_ended", "check")]
    assert ("workflow_finished", None) in events(run_context)


def test_routes_are_logged_as_decisions(run_context: RunContext) -> None:
    counting().run(Count(goal=2))
    assert run_context.folder is not None
    decisions = list(read_json_lines(run_context.folder.decisions_file))
    assert [(entry["question"], entry["answer"], entry["taken_by"]) for entry in decisions] == [
        ("workflow counting: after 'check'", "add", "rule"),
        ("workflow counting: after 'check'", "END", "rule"),
    ]


def test_runs_in_a_folder_of_its_own_outside_a_run(tmp_path: Path) -> None:
    seen: list[RunFolder | None] = []

    def look(state: Count) -> None:
        seen.append(current_run().folder)

    folder = RunFolder(tmp_path / "own")
    workflow = Workflow("looking", Count, nodes={"look": look}, edges={"look": END})
    with use_run(RunContext(console=Console(quiet=True))):
        workflow.run(Count(), folder=folder)
    assert seen == [folder]
    assert folder.events_file.exists()


def test_needs_a_folder() -> None:
    with pytest.raises(UserError, match="workflow 'counting' has no folder"):
        counting().run(Count())


def test_a_finished_run_runs_nothing_again(run_context: RunContext) -> None:
    first = counting().run(Count())
    calls: list[int] = []
    again = counting(lambda state: calls.append(state.n)).run(Count())
    assert (again.state, again.visits, again.resumed) == (first.state, first.visits, True)
    assert calls == []


def test_labels_keep_runs_apart(run_context: RunContext) -> None:
    assert counting().run(Count(goal=1), label="one").state.n == 1
    assert counting().run(Count(goal=2), label="two").state.n == 2
    assert run_context.folder is not None
    records = list(read_records(run_context.folder.workflow))
    assert [(record.label, record.visits["add"]) for record in records] == [("one", 1), ("two", 2)]


def test_labels_that_share_a_file_are_told_apart(run_context: RunContext) -> None:
    counting().run(Count(), label="one/two")
    with pytest.raises(UserError, match="it is of the run labelled 'one/two', not 'one two'"):
        counting().run(Count(), label="one two")


def test_nodes_run_in_the_main_thread(run_context: RunContext) -> None:
    seen: list[bool] = []

    def look(state: Count) -> None:
        seen.append(threading.current_thread() is threading.main_thread())

    Workflow("looking", Count, nodes={"look": look}, edges={"look": END}).run(Count())
    assert seen == [True]


@pytest.mark.parametrize("steps", range(6))
def test_goes_on_where_the_budget_stopped_it(run_context: RunContext, steps: int) -> None:
    run_context.workflow = WorkflowSettings(budgets=Budgets(steps=steps))
    stopped = counting().run(Count())
    assert (stopped.stopped, stopped.steps) == ("steps", steps)
    assert stopped.next_node == ("add" if steps % 2 == 0 else "check")
    assert f"workflow.budgets.steps={steps}" in stopped.errors[0].message
    assert "netwright run resume=" in stopped.detail
    run_context.workflow = WorkflowSettings()
    result = counting().run(Count())
    assert result.finished
    assert (result.state, result.steps, result.resumed) == (Count(n=3, note="at 3"), 6, True)


def test_budgets_of_the_run_and_of_the_agent_apply_together(run_context: RunContext) -> None:
    run_context.workflow = WorkflowSettings(budgets=Budgets(steps=2))
    assert counting().run(Count(), budgets=Budgets(steps=4)).steps == 2
    run_context.workflow = WorkflowSettings(budgets=Budgets(steps=9))
    stopped = counting().run(Count(), budgets=Budgets(steps=4))
    assert (stopped.steps, "by the agent's own limit of 4 steps" in stopped.detail) == (4, True)


def test_money_stops_it_and_counts_over_both_parts(run_context: RunContext) -> None:
    spent = [10.0]  # what a ledger had before is not this workflow's

    def pay(state: Count) -> dict[str, object]:
        spent[0] += 0.5
        return add(state)

    stopped = counting(pay).run(Count(), budgets=Budgets(money=1.0), spent=lambda: spent[0])
    assert (stopped.stopped, stopped.money, stopped.state.n) == ("money", 1.0, 2)
    spent[0] = 0.0  # a new process has a new ledger
    result = counting(pay).run(Count(), spent=lambda: spent[0])
    assert (result.finished, result.money) == (True, 1.5)


def test_money_of_the_runs_language_model_counts(run_context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = itertools.count()
    monkeypatch.setattr(RunContext, "money_spent", lambda _: float(next(counter)))
    stopped = counting().run(Count(), budgets=Budgets(money=2.0))
    assert (stopped.stopped, stopped.money, stopped.steps) == ("money", 2.0, 2)


def test_time_stops_it(run_context: RunContext) -> None:
    stopped = counting().run(Count(), budgets=Budgets(seconds=0))
    assert (stopped.stopped, stopped.steps) == ("seconds", 0)


def test_a_loop_that_repeats_its_state_is_stopped_and_named(run_context: RunContext) -> None:
    stopped = counting(lambda _: {"n": 1}).run(Count())
    assert stopped.stopped == "loop"
    assert "stopped before 'add': add -> check -> add" in stopped.detail
    again = counting(lambda _: {"n": 1}).run(Count())
    assert (again.stopped, again.steps) == ("loop", stopped.steps)


def test_a_failed_node_runs_again_and_no_other(run_context: RunContext) -> None:
    broken = [True]
    seen: list[int] = []

    def sometimes(state: Count) -> dict[str, object]:
        seen.append(state.n)
        if broken[0] and state.n == 1:
            raise ZeroDivisionError("by zero")
        return add(state)

    with pytest.raises(ZeroDivisionError, match="by zero"):
        counting(sometimes).run(Count())
    assert run_context.folder is not None
    (record,) = read_records(run_context.folder.workflow)
    assert (record.progress, record.next_node) == ("failed", "add")
    broken[0] = False
    assert counting(sometimes).run(Count()).finished
    assert seen == [0, 1, 1, 2]


def test_only_the_update_counts(run_context: RunContext) -> None:
    def careless(state: Count) -> dict[str, object]:
        state.note = "changed in place"
        return {"n": state.n + 1}

    workflow = Workflow("careless", Count, nodes={"only": careless}, edges={"only": END})
    assert workflow.run(Count()).state == Count(n=1)


def test_a_wrong_update_is_refused_by_field(run_context: RunContext) -> None:
    with pytest.raises(
        NetwrightError, match="node 'add' of workflow 'counting' returned a wrong update: 'n' cannot be"
    ):
        counting(lambda _: {"n": "many"}).run(Count())


def test_a_route_that_leads_elsewhere_is_refused(run_context: RunContext) -> None:
    workflow = Workflow("lost", Count, nodes={"add": add}, edges={"add": Route(lambda _: "nowhere", (END,))})
    with pytest.raises(NetwrightError, match="the route after 'add' of workflow 'lost' leads to 'nowhere'; it may"):
        workflow.run(Count())


def test_approval_may_only_name_nodes() -> None:
    with pytest.raises(UserError, match="no node of workflow 'counting' named 'chekc'; did you mean 'check'"):
        counting(approve_before=("chekc",))


def test_without_asking_approval_is_logged(run_context: RunContext) -> None:
    assert counting(approve_before=("check",)).run(Count(goal=1)).finished
    assert run_context.folder is not None
    first = next(read_json_lines(run_context.folder.decisions_file))
    assert (first["question"], first["answer"], first["taken_by"]) == (
        "workflow counting: run 'check'",
        "yes",
        "rule",
    )


def test_without_a_terminal_asking_stops_it(run_context: RunContext) -> None:
    workflow = counting(approve_before=("check",))
    stopped = workflow.run(Count(goal=1), approve="ask")
    assert (stopped.stopped, stopped.next_node, stopped.steps) == ("approval", "check", 1)
    assert "workflow.approve=auto" in stopped.errors[0].message
    assert workflow.run(Count(goal=1)).finished


class Keyboard(io.StringIO):
    """A person's answers."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_terminal(run_context: RunContext, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], io.StringIO]:
    """A function that sets what a person will type, and returns the screen."""

    def sit_down(answers: str) -> io.StringIO:
        screen = io.StringIO()
        run_context.console = Console(file=screen, force_terminal=True, width=100)
        monkeypatch.setattr(sys, "stdin", Keyboard(answers))
        return screen

    return sit_down


def test_a_person_sees_what_is_about_to_happen_and_says_yes(
    run_context: RunContext, on_terminal: Callable[[str], io.StringIO]
) -> None:
    screen = on_terminal("y\n")
    result = counting(approve_before=("add",)).run(Count(goal=1, note="hello"), approve="ask")
    assert result.finished
    for words in ("workflow counting: about to run add", "Count one further.", '"note": "hello"', "run add?"):
        assert words in screen.getvalue()
    assert run_context.folder is not None
    first = next(read_json_lines(run_context.folder.decisions_file))
    assert (first["answer"], first["taken_by"]) == ("yes", "person")


@pytest.mark.parametrize(("answers", "reason"), [("n\n", "declined"), ("\n", "declined"), ("", "approval")])
def test_a_person_does_not_say_yes(on_terminal: Callable[[str], io.StringIO], answers: str, reason: str) -> None:
    on_terminal(answers)
    stopped = counting(approve_before=("add",)).run(Count(goal=1), approve="ask")
    assert (stopped.stopped, stopped.steps) == (reason, 0)
    on_terminal("y\n")
    assert counting(approve_before=("add",)).run(Count(goal=1), approve="ask").finished


def test_the_folder_keeps_the_graph_and_its_progress(run_context: RunContext) -> None:
    counting().run(Count(), budgets=Budgets(steps=3))
    assert run_context.folder is not None
    (record,) = read_records(run_context.folder.workflow)
    assert record.nodes == ["add", "check"]
    assert [(edge.source, edge.target, edge.conditional) for edge in record.edges] == [
        ("add", "check", False),
        ("check", "add", True),
        ("check", "END", True),
    ]
    assert (record.progress, record.next_node, record.visits) == ("stopped", "check", {"add": 2, "check": 1})


def test_the_example_of_the_docs_runs(run_context: RunContext) -> None:
    page = (Path(__file__).parents[3] / "docs" / "workflows.md").read_text()
    written, used = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"AgentResult": AgentResult, "__name__": "example"}
    exec(compile(written + used, "docs/workflows.md", "exec"), names)
    result = names["execute"](Job(seed=3))
    assert result.errors == []
    assert result.metrics.rounds == 5
    assert result.metrics.best == min(result.metrics.history)


def test_langgraph_is_imported_only_when_a_workflow_runs() -> None:
    code = (
        "import sys; from netwright.workflow import END, Workflow; from pydantic import BaseModel\n"
        "import netwright.run, netwright.resume\n"
        "class S(BaseModel): pass\n"
        "Workflow('w', S, nodes={'a': lambda s: None}, edges={'a': END})\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('langgraph', 'langchain_core', 'torch')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_without_langgraph_the_line_names_the_extra(run_context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("netwright.workflow.checkpoints")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "langgraph.checkpoint.sqlite", None)
    with pytest.raises(UserError, match=r"needs langgraph.*pip install 'netwright\[workflow\]'"):
        counting().run(Count())
