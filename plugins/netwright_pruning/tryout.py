"""The trying out of one baseline on a subject: pruned, re-estimated, fine-tuned, judged at each stage, and saved."""

import time
from pathlib import Path

from torch import nn

from netwright.agent import Job
from netwright.context import current_run
from netwright.formatting import format_number
from netwright_pruning.config import PrunerConfig
from netwright_pruning.decisions import record_decision
from netwright_pruning.engine import prune_to_budget
from netwright_pruning.harness_stopwatch import HarnessStopwatch
from netwright_pruning.method import BasePruningMethod
from netwright_pruning.methods import load_method
from netwright_pruning.metrics import Figures, MethodReport, Stages, UntouchedGroup
from netwright_pruning.outcome import Pruning
from netwright_pruning.ranking import describe_multiples
from netwright_pruning.recalibration import recalibrate
from netwright_pruning.resumption import read_finished, write_finished
from netwright_pruning.saved import save_pruned
from netwright_pruning.subject import Subject
from netwright_pruning.trial import Trial, figures
from netwright_training import EpochRecord, train


def run_trial(name: str, subject: Subject, job: Job, config: PrunerConfig, folder: Path) -> Trial:
    """Prune a copy of the subject's model with a baseline, and see what becomes of it; one that is finished is read.

    Args:
        name: The baseline.
        folder: Where to leave the pruned model and the fine-tuning's checkpoints.

    Raises:
        UserError: The budget cannot be met.
        NetwrightError: The baseline failed.
    """
    finished = read_finished(folder)
    if finished is not None:
        return Trial(finished.report, folder / "model")
    method = load_method(name, job.baseline_options.get(name))
    trial = method.conduct(name, subject, job, config, folder) or _try(name, method, subject, job, config, folder)
    write_finished(folder, trial.report, trial.errors)
    return trial


def _try(name: str, method: BasePruningMethod, subject: Subject, job: Job, config: PrunerConfig, folder: Path) -> Trial:
    started = time.perf_counter()
    pruning = _prune(name, method, subject, job, config)
    stages = Stages()
    history: tuple[EpochRecord, ...] = ()
    if subject.data is not None:
        stages, history = _recover(name, pruning.model, subject, job.seed, folder / "fine_tuning")
    after = _final_figures(pruning, stages, subject)
    save_pruned(
        pruning.model,
        folder / "model",
        case=subject.case.name,
        options=subject.case.options,
        budget=pruning.budget.model_dump(mode="json", exclude={"attempts"}),
        scores=after.model_dump(include={"accuracy", "mse"}, exclude_none=True),
    )
    report = MethodReport(
        label=name,
        stages=stages,
        after=after,
        validation=subject.data.validate(pruning.model) if subject.data else None,
        budget=pruning.budget,
        widths=pruning.widths,
        untouched=[UntouchedGroup(group=f.group, module=f.module, reason=f.reason) for f in pruning.faults],
        equality=pruning.equality,
        history=list(history),
        seconds=round(time.perf_counter() - started, 3),
    )
    return Trial(report, folder / "model")


def _final_figures(pruning: Pruning, stages: Stages, subject: Subject) -> Figures:
    """The pruned model's figures, its score being that of the last stage that was reached."""
    reached = [score for score in (stages.pruned, stages.recalibrated, stages.fine_tuned) if score is not None]
    return figures(pruning.after.parameters, pruning.after.macs, reached[-1] if reached else None, subject)


def _prune(name: str, method: BasePruningMethod, subject: Subject, job: Job, config: PrunerConfig) -> Pruning:
    with current_run().step(f"prune {name}") as step:
        pruning = prune_to_budget(
            subject.model,
            subject.inputs,
            config.targets,
            method,
            seed=job.seed,
            tolerance=config.tolerance,
            round_to=config.round_to,
            batches=subject.data.calibration if subject.data else None,
            allocation=config.allocation,
            stopwatch=HarnessStopwatch(subject.case, config.timing, seed=job.seed),
            survey=subject.survey,
        )
        remaining = pruning.budget.achieved / pruning.budget.unpruned
        step.advance(0, attempts=len(pruning.budget.attempts), **{pruning.budget.metric: f"{remaining:.1%}"})
    _explain(name, pruning, job.seed)
    return pruning


def _explain(name: str, pruning: Pruning, seed: int) -> None:
    """Log which widths were settled on, and say it where they miss the budget."""
    outcome = pruning.budget
    unit = "ms" if outcome.metric == "latency" else outcome.metric
    reached = f"{format_number(outcome.achieved)} {unit}, {outcome.error:+.1%} off the target"
    widths = describe_multiples(outcome.round_to)
    if outcome.within:
        indistinct = abs(outcome.error) > outcome.tolerance
        how = "not told apart from the target" if indistinct else f"within the tolerance of {outcome.tolerance:.1%}"
        reason = f"{reached}: {how}"
        if outcome.relaxed:
            reason += f"; {', '.join(outcome.relaxed)} freed of {widths} for that"
    else:
        reason = f"{reached}: the closest of {len(outcome.attempts)} attempts with widths in {widths}"
        current_run().warn(f"{name} misses the budget: {reason}")
    record_decision(
        f"how far {name} prunes",
        {"widths": pruning.widths, "achieved": outcome.achieved, "error": outcome.error, "within": outcome.within},
        reasons=[reason],
        inputs={"baseline": name, "seed": seed, "attempts": outcome.model_dump(mode="json")["attempts"]},
    )


def _recover(
    name: str, model: nn.Module, subject: Subject, seed: int, folder: Path
) -> tuple[Stages, tuple[EpochRecord, ...]]:
    """Re-estimate, fine-tune, and judge on the test split after each; the model changes in place."""
    data = subject.data
    assert data is not None
    pruned = data.test(model)
    recalibrated = data.test(model) if recalibrate(model, (inputs for inputs, _ in data.calibration)) else None
    if data.fine_tune is None:
        return Stages(pruned=pruned, recalibrated=recalibrated), ()
    result = train(
        model,
        data.splits,
        data.fine_tune,
        seed=seed,
        folder=folder,
        step_name=f"fine-tune {name}",
        teacher=subject.model if data.fine_tune.distillation else None,
    )
    stages = Stages(pruned=pruned, recalibrated=recalibrated, fine_tuned=data.test(model))
    return stages, result.history
