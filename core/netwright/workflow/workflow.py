"""The workflow: nodes and edges over a typed state, run with a checkpoint after every node and resumed by itself."""

import shlex
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic

from netwright import __version__
from netwright.context import RunContext, current_run, use_run
from netwright.errors import MissingDependencyError, NetwrightError, UserError, unknown_name
from netwright.files import cannot_write, content_key, slug
from netwright.runfolder import RunFolder
from netwright.workflow.approval import ask
from netwright.workflow.book import Book, Meter, read_book, visit_of
from netwright.workflow.graph import Graph, Route, StateT
from netwright.workflow.outcome import StopReason, WorkflowResult
from netwright.workflow.record import Progress, record_of, write_record
from netwright.workflow.settings import Approval, Budgets
from netwright.workflow.state import StateSchema

if TYPE_CHECKING:
    from netwright.workflow.engine import Engine, Position

Node = Callable[[StateT], Mapping[str, Any] | None]
EXTRA = "pip install 'netwright[workflow]'"


class Workflow(Generic[StateT]):
    """Named nodes that hand a typed state on, one at a time.

    A node is a function from the state to an update: a mapping of field names to new values, or None. It gets the
    state as a checkpoint gives it back, whether the run was resumed or not, and only its update counts. A node that
    was killed runs again from its beginning, so it must be idempotent: what it does twice, with the same state, must
    leave the same as once. Random numbers in it follow from a seed in the state.

    Args:
        name: Lower case words joined by underscores; the checkpoint's file is named so.
        state: The state's class, a pydantic model of plain values.
        nodes: Functions by name; the first one is where it starts.
        edges: Per node, the name of the one that follows, `END`, or a `Route` that chooses among several.
        approve_before: The nodes before which a person may want to be asked.

    Raises:
        UserError: The graph is wrong (see `Graph`), the state has a field that no checkpoint can keep.
    """

    def __init__(
        self,
        name: str,
        state: type[StateT],
        *,
        nodes: Mapping[str, Node[StateT]],
        edges: Mapping[str, str | Route[StateT]],
        approve_before: Collection[str] = (),
    ) -> None:
        self.graph = Graph(name, tuple(nodes), dict(edges))
        self.schema = StateSchema(state, name)
        self.nodes = dict(nodes)
        for node in approve_before:
            if node not in nodes:
                raise unknown_name(f"node of workflow '{name}'", node, nodes)
        self.approve_before = frozenset(approve_before)

    @property
    def name(self) -> str:
        """Its name."""
        return self.graph.workflow

    def run(
        self,
        state: StateT,
        *,
        label: str = "",
        folder: RunFolder | None = None,
        budgets: Budgets | None = None,
        approve: Approval | None = None,
        spent: Callable[[], float] | None = None,
    ) -> WorkflowResult[StateT]:
        """Run to the end, or until something stops it; go on from the folder's checkpoint where there is one.

        Args:
            state: The state to begin with. A resumed run must begin with the same one.
            label: Tells several runs of the same workflow in one folder apart.
            folder: Where the checkpoint lies; by default the folder of the run in force.
            budgets: Limits beside those of the run in force; the tighter ones apply.
            approve: Whether to ask before the nodes of `approve_before`; by default as the run in force says.
            spent: What has been spent so far in this process, ever growing: a ledger's total; by default that of the
                run's language model.

        Raises:
            UserError: There is no folder, LangGraph is not installed, another process runs this workflow here, or the
                checkpoint is another's: of another version, workflow, shape or beginning, or damaged.
            NetwrightError: A node returned what the state cannot hold, or a route led nowhere.
            Exception: What a node raises; its checkpoint stays, and the next run begins with that node.
        """
        context = current_run()
        place = folder or context.folder
        if place is None:
            raise UserError(f"workflow '{self.name}' has no folder", why="nothing runs", remedy="pass folder=")
        limits = (budgets or Budgets()).within(context.workflow.budgets)
        if place is not context.folder:
            context = replace(context, folder=place)
        with use_run(context), context.step(_title(self.name, label)):
            approval = approve or context.workflow.approve
            run = _Run(self, context, place, label, limits, approval, spent or context.money_spent)
            return run.to_the_end(state)


class _Run(Generic[StateT]):
    """One call of `Workflow.run`."""

    def __init__(
        self,
        workflow: Workflow[StateT],
        context: RunContext,
        place: RunFolder,
        label: str,
        budgets: Budgets,
        approve: Approval,
        spent: Callable[[], float],
    ) -> None:
        self.workflow = workflow
        self.graph, self.schema = workflow.graph, workflow.schema
        self.context = context
        self.folder = place
        self.label = label
        self.budgets = budgets
        self.approve = approve
        self.meter = Meter(spent)
        self.file = place.workflow / f"{slug('-'.join(filter(None, [workflow.name, label])))}.sqlite"
        self.book = Book()
        self.next_node: str | None = self.graph.start

    def to_the_end(self, state: StateT) -> WorkflowResult[StateT]:
        begin = self.schema.dump(state)
        with self._engine(begin) as (engine, resumed):
            position = self._settled(engine)
            self._record("running")
            if resumed:
                facts = {"steps": self.book.steps, "next": self.next_node}
                self.context.log_event("workflow_resumed", workflow=self.workflow.name, **facts)
            try:
                result = self._drive(engine, position, resumed=resumed)
            except BaseException as error:
                self._record("failed", f"{type(error).__name__}: {error}")
                raise
            self._record("finished" if result.finished else "stopped", result.detail)
        why = {"stopped": result.stopped, "detail": result.detail} if result.stopped else {}
        outcome = "workflow_stopped" if result.stopped else "workflow_finished"
        self.context.log_event(outcome, workflow=self.workflow.name, steps=result.steps, **why)
        return result

    @contextmanager
    def _engine(self, begin: str) -> "Iterator[tuple[Engine, bool]]":
        """The graph with its checkpoints, and whether it goes on from one."""
        try:
            from netwright.workflow.checkpoints import Identity, check_identity, open_checkpoints, stored_identity
            from netwright.workflow.engine import Engine
        except ImportError as error:
            raise MissingDependencyError(
                f"workflow '{self.workflow.name}' needs {error.name or 'langgraph'}", remedy=EXTRA
            ) from None
        identity = Identity(
            netwright=__version__,
            workflow=self.workflow.name,
            label=self.label,
            graph=content_key(self.graph.nodes, [vars(edge) for edge in self.graph.arrows]),
            schema_digest=content_key(self.schema.shape),
            start=content_key(begin),
        )
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.file.parent, error) from error
        with open_checkpoints(self.file) as checkpoints:
            stored = stored_identity(checkpoints)
            engine = Engine(self.graph, self._call, self._choose, checkpoints, identity)
            if stored is None:
                engine.start(begin, self.book.model_dump_json())
            else:
                check_identity(stored, identity, self.file)
            yield engine, stored is not None

    def _drive(self, engine: "Engine", position: "Position", *, resumed: bool) -> WorkflowResult[StateT]:
        """Node after node, until there is none or something stops it."""
        self.meter.pause()
        while position.next_node is not None:
            node = position.next_node
            stop = self._reason_to_stop(node, position.state)
            if stop is not None:
                return self._result(position, resumed, *stop)
            with self.context.step(node, workflow=self.workflow.name, visit=self.book.visits.get(node, 0) + 1):
                engine.advance()
            position = self._settled(engine)
        return self._result(position, resumed)

    def _settled(self, engine: "Engine") -> "Position":
        """The position, once what a killed process has left uncommitted is committed."""
        position = engine.settle()
        self.book = read_book(position.book)
        self.next_node = position.next_node
        return position

    def _reason_to_stop(self, node: str, state: str) -> tuple[StopReason, str] | None:
        limits, book = self.budgets, self.book
        go_on = f"netwright run {shlex.quote(f'resume={self.folder.path}')}"
        used: list[tuple[StopReason, float | None, float]] = [
            ("steps", limits.steps, book.steps),
            ("seconds", limits.seconds, book.seconds),
            ("money", limits.money, book.money),
        ]
        for reason, limit, amount in used:
            if limit is not None and amount >= limit:
                key = f"workflow.budgets.{reason}"
                of_the_run = getattr(self.context.workflow.budgets, reason) == limit
                whose = f"{key}={limit:g}" if of_the_run else f"the agent's own limit of {limit:g} {reason}"
                remedy = f"; to go on: {go_on} {key}=MORE" if of_the_run else ""
                return reason, f"stopped before '{node}' by {whose}: {amount:.4g} {reason} used{remedy}"
        loop = book.loop_at(visit_of(node, state))
        if loop:
            path = " -> ".join([*loop, node])
            return "loop", f"stopped before '{node}': {path} came back to the same state, so it repeats itself"
        if node in self.workflow.approve_before:
            return self._ask_before(node, state, go_on)
        return None

    def _ask_before(self, node: str, state: str, go_on: str) -> tuple[StopReason, str] | None:
        if self.approve == "auto":
            self._decide(f"run '{node}'", "yes", "rule", ["workflow.approve=auto"], state)
            return None
        purpose = (self.workflow.nodes[node].__doc__ or "").strip().partition("\n")[0]
        answer = ask(self.context, workflow=self.workflow.name, node=node, purpose=purpose, state=state)
        self.meter.pause()
        if answer == "nobody":
            return "approval", (
                f"'{node}' waits for approval, and there is no terminal to ask on; to be asked: {go_on}; "
                f"to go on without: {go_on} workflow.approve=auto"
            )
        self._decide(f"run '{node}'", answer, "person", ["workflow.approve=ask"], state)
        return None if answer == "yes" else ("declined", f"'{node}' was declined; to be asked again: {go_on}")

    def _call(self, name: str, state: str, book: str) -> tuple[str, str]:
        """Run a node; LangGraph commits what this returns."""
        before = self.schema.load(state)
        started = time.perf_counter()
        update = self.workflow.nodes[name](before)
        after = self.schema.dump(self.schema.apply(self.schema.load(state), update, name))
        took = time.perf_counter() - started
        seconds, money = self.meter.read()
        entry = read_book(book).after(visit_of(name, state), took=took, seconds=seconds, money=money)
        return after, entry.model_dump_json()

    def _choose(self, name: str, state: str) -> str:
        """Follow a route, and log where it led."""
        route = self.graph.edges[name]
        assert isinstance(route, Route)
        target = route.choose(self.schema.load(state))
        if target not in route.to:
            raise NetwrightError(
                f"the route after '{name}' of workflow '{self.workflow.name}' leads to {target!r}",
                why=f"it may lead to {', '.join(route.to)}",
            )
        self._decide(f"after '{name}'", target, "rule", [f"route {_name_of(route.choose)}"], state)
        return target

    def _decide(self, question: str, answer: str, taken_by: str, reasons: list[str], state: str) -> None:
        self.folder.decision(
            {
                "question": f"workflow {self.workflow.name}: {question}",
                "answer": answer,
                "taken_by": taken_by,
                "reasons": reasons,
                "inputs_hash": content_key(state),
            }
        )

    def _record(self, progress: Progress, detail: str = "") -> None:
        record = record_of(
            self.graph, self.label, self.book, progress=progress, next_node=self.next_node, detail=detail
        )
        write_record(self.file.with_suffix(".json"), record)

    def _result(
        self, position: "Position", resumed: bool, stopped: StopReason | None = None, detail: str = ""
    ) -> WorkflowResult[StateT]:
        return WorkflowResult(
            workflow=self.workflow.name,
            state=self.schema.load(position.state),
            stopped=stopped,
            detail=detail,
            next_node=position.next_node,
            visits=dict(self.book.visits),
            node_seconds=dict(self.book.node_seconds),
            seconds=self.book.seconds,
            money=self.book.money,
            resumed=resumed,
        )


def _title(name: str, label: str) -> str:
    return f"workflow {name} ({label})" if label else f"workflow {name}"


def _name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
