"""The try-out: which candidates are written, in which order they are tried, and when no more are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from netwright.context import current_run
from netwright.errors import NetwrightError
from netwright_fusion.engineer import Rewritten, explain
from netwright_fusion.metrics import VariantKind
from netwright_fusion.plan import Plan
from netwright_fusion.portfolio import SAME_AS_BASELINES, Candidate, label_of
from netwright_fusion.trial import Trial, TrialRow
from netwright_fusion.workbench import Workbench

FAR_BEHIND = 1.5
"""A graph that is that much slower than the best under one way of executing is not tried under costlier ones."""


@dataclass(frozen=True)
class Version:
    """One rewritten graph of the portfolio."""

    prefix: str
    """What its labels begin with."""
    kind: VariantKind
    rewritten: Rewritten


@dataclass
class Portfolio:
    """What was written in one round, and how it did in the trial."""

    candidates: list[Candidate] = field(default_factory=list)
    rows: dict[str, TrialRow] = field(default_factory=dict)
    boxes: list[str] = field(default_factory=list)


def try_out(bench: Workbench, plan: Plan, versions: list[Version]) -> Portfolio:
    """Write each version under each way of executing of the plan, and try all beside the baselines.

    Raises:
        TrialError: The case cannot be built.
    """
    config = bench.config
    portfolio = Portfolio()
    random = any(version.rewritten.captured.random for version in versions)
    with Trial(
        bench.name,
        bench.job.case_options,
        config.timing,
        seed=bench.job.seed,
        check=not random,
        compile_box_s=config.timing.compile_timeout_s,
        total_box_s=config.trial_box_s,
    ) as trial:
        for variant in bench.baselines:
            trial.load(variant, needed=not variant.target or variant.label == "eager")
        for execution in plan.executions:
            for version in versions:
                if _worth_trying(version, execution, trial.rows):
                    _try(bench, version, execution, trial, portfolio)
        portfolio.rows = dict(trial.time())
    portfolio.boxes = [f"{label}: {row.failed}" for label, row in portfolio.rows.items() if row.box_hit and row.failed]
    return portfolio


def _try(bench: Workbench, version: Version, execution: str, trial: Trial, portfolio: Portfolio) -> None:
    label = label_of(version.prefix, execution)
    try:
        candidate = bench.engineer.write(label, version.kind, version.rewritten, execution)
    except NetwrightError as error:
        current_run().log_event("candidate_not_written", label=label, reason=explain(error))
        return
    portfolio.candidates.append(candidate)
    trial.load(candidate.variant(bench.root))


def _worth_trying(version: Version, execution: str, rows: Mapping[str, TrialRow]) -> bool:
    """Whether a version may win under a way of executing, after what was tried so far."""
    if not version.rewritten.applied and not version.rewritten.kernels and execution in SAME_AS_BASELINES:
        return False
    if "max-autotune" not in execution:
        return True
    plain = rows.get(label_of(version.prefix, "frozen" if "frozen" in execution else "compiled"))
    best = min((row.call_ms for row in rows.values() if row.call_ms is not None and not row.failed), default=None)
    if plain is None or plain.call_ms is None or plain.failed or best is None:
        return False
    return plain.call_ms <= FAR_BEHIND * best
