"""The baseline `multi_agent`: the agents' loop as a method that can be compared with others."""

import time
from pathlib import Path
from typing import Any

from torch import nn

from netwright.agent import Job
from netwright.errors import NetwrightError
from netwright.result import ErrorRecord
from netwright.workflow import WorkflowResult
from netwright_pruning.agents.config import MultiAgentOptions
from netwright_pruning.agents.records import AttemptRecord, best_of_all
from netwright_pruning.baselines import TaylorPruning
from netwright_pruning.config import PrunerConfig
from netwright_pruning.decisions import record_decision
from netwright_pruning.keepsake import Keepsake, read_keepsake
from netwright_pruning.loop import LoopState, PruningLoop
from netwright_pruning.metrics import MethodReport, Stages
from netwright_pruning.saved import save_pruned
from netwright_pruning.scoring import Importance
from netwright_pruning.subject import Subject
from netwright_pruning.trial import Trial, figures


class MultiAgentPruning(TaylorPruning):
    """Agents compare strategies on a held slice of the training split, and train the best within the same epochs.

    Where only channels are to be scored, outside a comparison, it scores them as `taylor` does.

    Args:
        **options: See `MultiAgentOptions`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = MultiAgentOptions(**options)

    def importance(self, *, seed: int) -> Importance:
        """As `taylor`."""
        return super().importance(seed=seed)

    def conduct(self, name: str, subject: Subject, job: Job, config: PrunerConfig, folder: Path) -> Trial:
        """Run the loop, and hand back its best model, judged on the test split at each stage.

        Raises:
            NetwrightError: No attempt worked; what the first one said.
        """
        started = time.perf_counter()
        loop = PruningLoop(subject, config, self.options, seed=job.seed, folder=folder)
        outcome = loop.run()
        attempts = outcome.state.attempts
        best = best_of_all(attempts)
        if best is None:
            raise _nothing_worked(outcome)
        attempt = loop.attempt_folder(best.number)
        keepsake, model = read_keepsake(attempt), loop.load(attempt / "recovered")
        record_decision(
            f"which attempt of {name} to hand back",
            {"attempt": best.number, "step": best.step},
            reasons=["trained, and not worse for it" if best.step == "commit" else "the best without training"],
            inputs=[record.facts for record in attempts],
        )
        stages = _stages(loop, subject, best, model, keepsake)
        reached = [value for value in (stages.pruned, stages.recalibrated, stages.fine_tuned) if value is not None]
        after = figures(keepsake.after["parameters"], keepsake.after["macs"], reached[-1] if reached else None, subject)
        save_pruned(
            model,
            folder / "model",
            case=subject.case.name,
            options=subject.case.options,
            budget=keepsake.budget.model_dump(mode="json", exclude={"attempts"}),
            scores=after.model_dump(include={"accuracy", "mse"}, exclude_none=True),
        )
        report = MethodReport(
            label=name,
            stages=stages,
            after=after,
            validation=subject.data.validate(model) if subject.data else None,
            budget=keepsake.budget,
            widths=keepsake.widths,
            untouched=keepsake.untouched,
            equality=keepsake.equality,
            history=_history(loop, attempts, best),
            seconds=round(max(outcome.seconds, time.perf_counter() - started), 3),
            iterations=len(attempts),
            loop=attempts,
        )
        return Trial(report, folder / "model", tuple(outcome.errors))


def _stages(loop: PruningLoop, subject: Subject, best: AttemptRecord, model: nn.Module, keepsake: Keepsake) -> Stages:
    """The test split at each stage of the best attempt; only here does anything look at it."""
    data = subject.data
    if data is None:
        return Stages()
    pruned = loop.load(loop.attempt_folder(best.number) / "pruned")
    at_first = data.test(pruned)
    if best.step == "explore":
        return Stages(pruned=at_first, recalibrated=data.test(model))
    loop.recover(pruned, keepsake, 0, None)
    return Stages(pruned=at_first, recalibrated=data.test(pruned), fine_tuned=data.test(model))


def _history(loop: PruningLoop, attempts: list[AttemptRecord], best: AttemptRecord) -> list[Any]:
    """The epochs of all rounds that led to the best attempt, counted through."""
    found: list[Any] = []
    for attempt in attempts:
        if attempt.step == "commit" and attempt.worked and attempt.number <= best.number:
            records = read_keepsake(loop.attempt_folder(attempt.number)).history
            found += [record.model_copy(update={"epoch": len(found) + n}) for n, record in enumerate(records, start=1)]
    return found


def _nothing_worked(outcome: WorkflowResult[LoopState]) -> NetwrightError:
    if outcome.errors:
        first: ErrorRecord = outcome.errors[0]
        return NetwrightError("the agents were stopped before they had a model", why=first.message)
    failures = [attempt.failure for attempt in outcome.state.attempts if attempt.failure]
    return NetwrightError("no strategy of the agents worked", why=failures[0] if failures else "none was tried")
