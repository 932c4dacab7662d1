"""The ambient context of a run: folder, seed, console and progress reach tools and agents without being passed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from netwright.console import console as default_console
from netwright.llm.config import LlmConfig
from netwright.runfolder import RunFolder
from netwright.workflow.settings import WorkflowSettings

if TYPE_CHECKING:
    from netwright.decisions.deciders import Decider
    from netwright.decisions.question import Decision, Question
    from netwright.llm.backends.backend import Backend
    from netwright.llm.model import LanguageModel

DecisionT = TypeVar("DecisionT", bound="Decision")


@dataclass
class Step:
    """One step of the work in flight: a progress bar, and facts for its closing event."""

    name: str
    progress: Progress | None = None
    task: TaskID | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def advance(self, amount: float = 1, **facts: Any) -> None:
        """Move the bar; `facts` (a loss, an accuracy) are shown behind it, and the last ones are logged."""
        self.facts.update(facts)
        if self.progress is not None and self.task is not None:
            self.progress.advance(self.task, amount)
            if facts:
                self.progress.update(self.task, facts=_facts(facts))


@dataclass
class RunContext:
    """Where a run's tools and agents find their surroundings.

    Attributes:
        folder: The run's folder; None outside a run.
        workspace: Where tools read and write the user's files.
        seed: The run's seed.
        console: Where to print; quiet under `--quiet`.
        workflow: How far a workflow may go, and whether it asks.
        llm: Which language model may take part, and what it may cost.
        backend: Takes the place of the language model that the settings name, as test kits need.
        role: What the agent at work is for; it opens every prompt.
    """

    folder: RunFolder | None = None
    workspace: Path = field(default_factory=Path.cwd)
    seed: int = 0
    console: Console = field(default_factory=lambda: default_console)
    workflow: WorkflowSettings = field(default_factory=WorkflowSettings)
    llm: LlmConfig = field(default_factory=LlmConfig)
    backend: "Backend | None" = None
    role: str = ""
    _progress: Progress | None = None
    _model: "LanguageModel | None" = None

    @property
    def model(self) -> "LanguageModel":
        """The run's language model; nothing of it is imported, and no key is looked for, until an agent asks here.

        Raises:
            UserError: The command or the recording that the settings name is not there.
        """
        if self._model is None:
            from netwright.llm.create import create_model

            path = self.folder.path if self.folder else None
            self._model = create_model(
                self.llm, folder=path, workspace=self.workspace, seed=self.seed, backend=self.backend
            )
        return self._model

    @property
    def decider(self) -> "Decider":
        """Who decides: the language model where there is one, else each question's own rule."""
        from netwright.decisions.deciders import ModelDecider, RuleDecider

        if self.backend is None and self.llm.backend == "none":
            return RuleDecider()
        return ModelDecider(self.model, role=self.role)

    def decide(self, question: "Question[DecisionT]") -> "DecisionT":
        """Let the run's decider answer; see `netwright.decisions.decide`."""
        from netwright.decisions import decide

        return decide(question, self)

    def money_spent(self) -> float:
        """US dollars that this process has spent on the run's language model, as far as prices are known."""
        return self._model.money_spent if self._model is not None else 0.0

    @contextmanager
    def step(self, name: str, *, total: float | None = None, **details: Any) -> Iterator[Step]:
        """A step of the work: logged with start, end and outcome, shown as a progress bar while it lasts.

        Args:
            name: What is being done, e.g. "fine-tune taylor".
            total: How many `advance(1)` it takes; None for a step of unknown length.
            details: Facts to log at the start.
        """
        started = time.perf_counter()
        self.log_event("step_started", step=name, facts=details)
        with self._bar(name, total) as step:
            try:
                yield step
            except BaseException as error:
                self._end(step, started, f"{type(error).__name__}: {error}")
                raise
        self._end(step, started)

    def log_event(self, name: str, **details: Any) -> None:
        """Append an event to the run's log; nothing outside a run."""
        if self.folder is not None:
            self.folder.event(name, **details)

    def warn(self, message: str) -> None:
        """Say something that the user should know, on the console and in the log."""
        self.log_event("warning", message=message)
        self.console.print(f"[yellow]warning:[/] {escape(message)}", highlight=False)

    @contextmanager
    def pause_progress(self) -> Iterator[None]:
        """Take the progress bars off the terminal inside the block, where a person is asked something."""
        if self._progress is None:
            yield
            return
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def _end(self, step: Step, started: float, error: str | None = None) -> None:
        seconds = time.perf_counter() - started
        outcome = {"outcome": "failed", "error": error} if error else {"outcome": "ok"}
        self.log_event("step_ended", step=step.name, **outcome, seconds=round(seconds, 3), facts=step.facts)
        if not self.console.is_terminal and not error:
            line = f"{step.name}: {seconds:.1f} s  {_facts(step.facts)}".rstrip()
            self.console.print(line, highlight=False, markup=False)

    @contextmanager
    def _bar(self, name: str, total: float | None) -> Iterator[Step]:
        """A bar below those of the enclosing steps; the outermost step owns the live display."""
        if self._progress is None:
            with _new_progress(self.console) as progress:
                self._progress = progress
                try:
                    yield Step(name, progress, progress.add_task(name, total=total, facts=""))
                finally:
                    self._progress = None
            return
        progress = self._progress
        task = progress.add_task(name, total=total, facts="")
        try:
            yield Step(name, progress, task)
        finally:
            progress.remove_task(task)


class _CountColumn(MofNCompleteColumn):
    """How many of how many; nothing for a step of unknown length."""

    def render(self, task: Task) -> Text:
        """The count as text."""
        return super().render(task) if task.total is not None else Text()


def _new_progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        _CountColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[facts]}", style="dim", markup=False),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _facts(facts: dict[str, Any]) -> str:
    return "  ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in facts.items()
    )


_current: ContextVar[RunContext | None] = ContextVar("netwright_run", default=None)


def current_run() -> RunContext:
    """The run in force, or a context without a folder when nothing runs (a tool called by hand, a notebook)."""
    return _current.get() or RunContext()


@contextmanager
def use_run(context: RunContext) -> Iterator[RunContext]:
    """Make `context` the current one inside the block."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
