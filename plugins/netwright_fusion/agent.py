"""The agent `fusion`: runs the workflow of analyst and engineer, and hands over what it found."""

from netwright.agent import BaseAgent, Job
from netwright.context import current_run
from netwright.errors import UserError
from netwright.harness.compiled import shared_compiler_cache
from netwright.harness.process import prepare_workers
from netwright.result import AgentResult, ErrorRecord
from netwright_fusion.config import FusionConfig
from netwright_fusion.metrics import FusionMetrics, Outcome
from netwright_fusion.report import blocks, measurements
from netwright_fusion.state import FusionState
from netwright_fusion.workbench import Workbench
from netwright_fusion.workflow import fusion_workflow

COMPILER = "torch._inductor.compile_fx"
"""Takes seconds to import, for everybody who compiles."""


class FusionAgent(BaseAgent[Job, AgentResult]):
    """Makes a case faster: profiles, plans, rewrites, verifies, measures, and keeps what is verified and faster."""

    config_class = FusionConfig
    config: FusionConfig

    def get_agent_role(self) -> str:
        """One sentence that says what this agent is for."""
        return (
            "You make the forward of PyTorch modules faster with graph rewrites and Triton kernels that are proven to "
            "compute the same."
        )

    def execute(self, input_data: Job) -> AgentResult:
        """Run the workflow to its end, or as far as its budgets go.

        Raises:
            UserError: The case is wrong, or nothing runs that has a folder.
            NetwrightError: The unmodified module itself cannot be run.
        """
        folder = current_run().folder
        if folder is None:
            raise UserError("agent 'fusion' has no folder to write into", why="nothing runs", remedy="netwright run")
        bench = Workbench(input_data, self.config, folder.path)
        with shared_compiler_cache():
            if bench.on_cpu:
                prepare_workers(COMPILER)
            outcome = fusion_workflow(bench).run(FusionState(case=bench.name, seed=input_data.seed))
        state = outcome.state
        metrics = metrics_of(state)
        files = {"plan": "plan.json", "graph": "graph.txt", "experiment": "experiment.json"}
        artifacts = {name: bench.root / file for name, file in files.items() if (bench.root / file).exists()}
        if state.module is not None:
            artifacts["module"] = bench.root / state.module
        return AgentResult(
            metrics=metrics,
            measurements=measurements(metrics),
            blocks=blocks(metrics, state.plan),
            artifacts=artifacts,
            provenance={"case_content": bench.case.content, "device": bench.case.options.device},
            errors=[*outcome.errors, *_errors(state, finished=outcome.finished)],
            archive=self.config.archive and outcome.finished,
            archive_name=self.config.experiment,
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
