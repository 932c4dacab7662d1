"""One job of the agent `fusion`: from its case through the workflow to the result."""

from contextlib import closing
from pathlib import Path

from netwright.agent import Job
from netwright.result import AgentResult, ErrorRecord
from netwright_fusion.config import FusionConfig
from netwright_fusion.metrics import FusionMetrics, Outcome
from netwright_fusion.report import blocks, measurements
from netwright_fusion.state import FusionState
from netwright_fusion.workbench import Workbench
from netwright_fusion.workflow import fusion_workflow


def carry_out(job: Job, config: FusionConfig, root: Path) -> AgentResult:
    """Run the workflow to its end, or as far as its budgets go, and hand over what it found.

    Args:
        root: The run's folder.

    Raises:
        UserError: The case is wrong.
        NetwrightError: The unmodified module itself cannot be run.
    """
    with closing(Workbench(job, config, root)) as bench:
        outcome = fusion_workflow(bench).run(FusionState(case=bench.name, seed=job.seed))
    state = outcome.state
    metrics = metrics_of(state)
    files = {"plan": "plan.json", "graph": "graph.txt", "experiment": "experiment.json"}
    artifacts = {name: root / file for name, file in files.items() if (root / file).exists()}
    if state.module is not None:
        artifacts["module"] = root / state.module
    return AgentResult(
        metrics=metrics,
        measurements=measurements(metrics),
        blocks=blocks(metrics, state.plan),
        artifacts=artifacts,
        provenance={"case_content": bench.case.content, "device": bench.case.options.device},
        errors=[*outcome.errors, *_errors(state, finished=outcome.finished)],
        archive=config.archive and outcome.finished,
        archive_name=config.experiment,
    )


def metrics_of(state: FusionState) -> FusionMetrics:
    """What a state comes to."""
    winner = next((each for each in state.candidates if each.label == state.best), None)
    after = winner.figures if winner else state.before
    return FusionMetrics(
        outcome=_outcome(state),
        best=state.best or "none",
        fastest_baseline=state.fastest_baseline,
        speedup=state.speedup,
        variants=state.variants,
        rules=state.rules,
        kernels=state.kernels,
        degenerate=state.degenerate,
        not_captured=state.not_captured,
        flops_before=state.before.flops if state.before else None,
        flops_after=after.flops if after else None,
        bytes_before=state.before.bytes if state.before else None,
        bytes_after=after.bytes if after else None,
        boxes=state.boxes,
        profile_before=state.profile_before,
        profile_after=state.profile_after,
        rounds=max(state.round, 1),
    )


def _outcome(state: FusionState) -> Outcome:
    if state.degenerate is not None:
        return "degenerate"
    if state.best is None or state.module is None:
        return "nothing verified"
    return "nothing to win" if state.best == state.fastest_baseline else "faster"


def _errors(state: FusionState, *, finished: bool) -> list[ErrorRecord]:
    """What the user asked for and did not get; a candidate that was rejected is no error, for another one is there."""
    if finished and state.module is None:
        return [ErrorRecord(where="fusion", message="no module could be written and verified")]
    return []
