"""The try-out: which candidates are written, in which order they are tried, and when no more are."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netwright.context import current_run
from netwright_fusion.capture import Captured
from netwright_fusion.engineer import Rewritten, explain
from netwright_fusion.graph import from_parameters
from netwright_fusion.plan import Plan
from netwright_fusion.portfolio import BASELINE_EXECUTIONS, PLAINLY, Candidate, label_of
from netwright_fusion.rules.matching import is_fresh
from netwright_fusion.trial import Trial, TrialRow
from netwright_fusion.versions import Version, Versions
from netwright_fusion.workbench import Workbench

EAGER, COMPILED, AUTOTUNED = BASELINE_EXECUTIONS
PAYS = 0.97
"""A rule that is kept where measured faster must take off that much."""
FAR_BEHIND = 1.5
"""A graph that is that much slower than the best under one way of executing is not tried under costlier ones."""


@dataclass
class Portfolio:
    """What was written in one round, and how it did in the trial."""

    candidates: list[Candidate] = field(default_factory=list)
    rows: dict[str, TrialRow] = field(default_factory=dict)
    boxes: list[str] = field(default_factory=list)


def trial_of(bench: Workbench) -> Trial:
    """The trial of a case, before anything is tried."""
    config = bench.config
    return Trial(
        bench.name,
        bench.job.case_options,
        config.timing,
        seed=bench.job.seed,
        check=not (isinstance(bench.captured, Captured) and bench.captured.random),
        compile_box_s=config.timing.compile_timeout_s,
        total_box_s=config.trial_box_s,
    )


def try_out(
    bench: Workbench, trial: Trial, plan: Plan, versions: Sequence[Version], makes: Versions | None
) -> Portfolio:
    """Write each version under each way of executing of the plan, and try all beside the baselines.

    Args:
        makes: Makes further versions, with those of the measured rules that pay, and with those for compilers.

    Raises:
        TrialError: The case cannot be built.
    """
    portfolio = Portfolio()
    for variant in bench.baselines:
        if variant.label == EAGER:
            trial.load(variant, needed=True)
    if PLAINLY in plan.executions:
        for version in versions:
            _try(bench, version, PLAINLY, trial, portfolio)
    for variant in bench.baselines:
        if variant.label != EAGER:
            trial.load(variant)
    compilers = [execution for execution in plan.executions if execution != PLAINLY]
    compiled = _for_compilers(versions, makes, trial.rows) if compilers and makes else []
    for execution in compilers:
        for version in compiled:
            _try(bench, version, execution, trial, portfolio)
    portfolio.rows = dict(trial.time())
    portfolio.boxes = [f"{label}: {row.failed}" for label, row in portfolio.rows.items() if row.box_hit and row.failed]
    return portfolio


def _try(bench: Workbench, version: Version, execution: str, trial: Trial, portfolio: Portfolio) -> None:
    if not _worth_trying(version, execution, trial.rows):
        return
    label = label_of(version.prefix, execution)
    try:
        candidate = bench.engineer.write(label, version.kind, version.rewritten, execution)
    except Exception as error:  # whatever keeps one from being written, the others go on
        current_run().log_event("candidate_not_written", label=label, reason=explain(error))
        return
    portfolio.candidates.append(candidate)
    trial.load(candidate.variant(bench.root))


def _for_compilers(versions: Sequence[Version], makes: Versions, rows: Mapping[str, TrialRow]) -> list[Version]:
    """The plain version, the one with the measured rules that paid without a compiler, one with those for compilers
    besides, and those with kernels.
    """
    pays = _paying_rules(versions, rows)
    chosen = next((each for each in versions if each.rules == pays), None) or makes.with_rules(pays, "chosen")
    compiled = makes.with_rules(pays | makes.compiled, "for_compilers") if makes.compiled else None
    kernels = [each for each in versions if each.kind == "triton"]
    found = [versions[0], *(each for each in (chosen, compiled) if each is not None), *kernels]
    return list({each.prefix: each for each in found}.values())


def _paying_rules(versions: Sequence[Version], rows: Mapping[str, TrialRow]) -> frozenset[str]:
    """The measured rules by which alone the plain version became faster; all of them where nothing was tried."""
    alone = [version for version in versions if len(version.rules) == 1]
    tried = [each for each in alone if label_of(each.prefix, PLAINLY) in rows]
    if not tried:
        return frozenset().union(*(each.rules for each in versions))
    limit_ms = PAYS * _plain_ms(versions, rows)
    faster = [each.rules for each in tried if _call_ms(rows, label_of(each.prefix, PLAINLY)) < limit_ms]
    return frozenset[str]().union(*faster)


def _plain_ms(versions: Sequence[Version], rows: Mapping[str, TrialRow]) -> float:
    """The shortest call of the plain version without a compiler; where that is the original, it is eager's."""
    label = EAGER if _is_original(versions[0].rewritten) else label_of(versions[0].prefix, PLAINLY)
    return _call_ms(rows, label)


def _worth_trying(version: Version, execution: str, rows: Mapping[str, TrialRow]) -> bool:
    """Whether a version may win under a way of executing, after what was tried so far."""
    if _is_original(version.rewritten) and execution in BASELINE_EXECUTIONS.values():
        return False
    if "max-autotune" not in execution:
        return True
    if AUTOTUNED in rows and _call_ms(rows, AUTOTUNED) >= PAYS * _call_ms(rows, COMPILED):
        return False
    plain_ms = _call_ms(rows, label_of(version.prefix, "frozen" if "frozen" in execution else "compiled"))
    return plain_ms < math.inf and plain_ms <= FAR_BEHIND * min(_call_ms(rows, label) for label in rows)


def _is_original(rewritten: Rewritten) -> bool:
    """Whether a graph does just what the module does: no step changed it, and nothing in it is computed once only."""
    nodes = rewritten.captured.graph.graph.nodes
    once = any(node.op == "call_function" and from_parameters(node) and is_fresh(node) for node in nodes)
    return not rewritten.applied and not rewritten.kernels and not once


def _call_ms(rows: Mapping[str, TrialRow], label: str) -> float:
    """The shortest call of a variant in the trial; infinite where it was not tried or does not work."""
    row = rows.get(label)
    return row.call_ms if row is not None and row.call_ms is not None and not row.failed else math.inf
