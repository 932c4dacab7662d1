"""Implementation: the engineer carries out the plan, writes candidates, and tries them beside the baselines."""

from collections.abc import Mapping

from netwright.context import current_run
from netwright_fusion.capture import Captured
from netwright_fusion.engineer import explain
from netwright_fusion.interpretation import NO_DEVICE, kernel_records
from netwright_fusion.metrics import RuleRecord
from netwright_fusion.plan import Plan
from netwright_fusion.portfolio import WITHIN_REACH, Candidate, choose_finalists, is_heavy
from netwright_fusion.rules.apply import Applied
from netwright_fusion.state import FusionState
from netwright_fusion.tryout import Portfolio, trial_of, try_out
from netwright_fusion.versions import Version, Versions
from netwright_fusion.workbench import Workbench
from netwright_fusion.written import ask_for_module, attempt_label, has_model, original_source, write_module

TRITON = "rewritten_triton"


def implement(bench: Workbench, state: FusionState) -> dict[str, object]:
    """Rewrite, write candidates, try them, and name the finalists.

    A round after the first leaves out the steps and candidates that failed; where only candidates did, those that come
    next in the trial take their place.

    Raises:
        TrialError: The case cannot be built.
    """
    plan = state.plan
    assert plan is not None
    update: dict[str, object] = {"round": state.round + 1, "retry": False, "without": sorted(state.dropped)}
    if state.round and set(state.dropped) == set(state.without):
        rows = {row.label: row for row in state.trial}
        portfolio = Portfolio(list(state.candidates), rows, list(state.boxes))
    else:
        makes = _makes(bench, state, plan)
        with trial_of(bench) as trial:
            trial.start()
            versions = makes.make() if makes else []
            untimed = [each for each in versions if each.kind == "triton" and bench.on_cpu]
            portfolio = try_out(bench, trial, plan, [each for each in versions if each not in untimed], makes)
        portfolio.candidates += [each for version in untimed for each in _untried(bench, version)]
        update |= _facts(bench, state, makes) if makes else {}
    written, problems = _written(bench, state, plan)
    rejected = {**state.rejected, **problems}
    possible = [each for each in portfolio.candidates if each.label not in rejected and each.kind != "written"]
    baselines = [variant.label for variant in bench.baselines]
    most = 1 if is_heavy(portfolio.rows) else bench.config.finalists
    least_gain = bench.config.least_gain if state.rejected else WITHIN_REACH  # another round must promise a gain
    finalists = choose_finalists(portfolio.rows, possible, baselines, most, least_gain=least_gain)
    own = [each for each in portfolio.candidates if each.kind != "written"]
    return {
        **update,
        "candidates": [*own, *written],
        "trial": list(portfolio.rows.values()),
        "boxes": portfolio.boxes,
        "finalists": [*finalists, *(each.label for each in written if each.label not in problems)],
        "rejected": rejected,
    }


def _makes(bench: Workbench, state: FusionState, plan: Plan) -> Versions | None:
    """What makes the versions of this round; None where there is nothing to rewrite."""
    if not plan.go or not isinstance(bench.captured, Captured):
        return None
    left_out = {step.key for step in state.proposals} - {step.key for step in plan.steps}
    return Versions(bench.engineer, plan.steps, {*bench.config.skip, *state.dropped, *left_out})


def _facts(bench: Workbench, state: FusionState, makes: Versions) -> dict[str, object]:
    """What was done, for the state."""
    dropped = {**state.dropped, **makes.dropped}
    not_timed = NO_DEVICE if bench.on_cpu else None
    return {
        "rules": [*(_rule_record(each) for each in makes.applied.values()), *_dropped_records(state, dropped)],
        "kernels": kernel_records(makes.fused, verified=False, not_timed=not_timed) if makes.fused else [],
        "dropped": dropped,
        "without": sorted(dropped),
    }


def _untried(bench: Workbench, version: Version) -> list[Candidate]:
    """The candidate that cannot be timed here: it is written, to be verified only; none where it cannot be written."""
    try:
        return [bench.engineer.write(TRITON, "triton", version.rewritten, "eager")]
    except Exception as error:  # whatever keeps it from being written, the others go on
        current_run().log_event("candidate_not_written", label=TRITON, reason=explain(error))
        return []


def _written(bench: Workbench, state: FusionState, plan: Plan) -> tuple[list[Candidate], dict[str, str]]:
    """Modules that a language model writes, new ones and repaired ones, and those that may not even be run."""
    candidates = [each for each in state.candidates if each.kind == "written"]
    problems: dict[str, str] = {}
    if not has_model():
        return candidates, problems
    for number in range(1, bench.config.written_candidates + 1):
        while True:
            attempts = [each for each in candidates if each.label.split("_")[1] == str(number)]
            wrong = {each.label: problems.get(each.label) or state.rejected.get(each.label) for each in attempts}
            if attempts and (wrong[attempts[-1].label] is None or len(attempts) > bench.config.written_repairs):
                break
            history = [((bench.root / each.path).read_text(), wrong[each.label] or "") for each in attempts]
            answer = ask_for_module(original_source(bench.case), bench.case.options.device, plan, history)
            if answer is None:
                break
            label = attempt_label(number, len(attempts))
            candidate, problem = write_module(bench.root, label, answer)
            candidates.append(candidate)
            if problem:
                problems[label] = f"source: {problem}"
    return candidates, problems


def _rule_record(applied: Applied) -> RuleRecord:
    rule = applied.rule
    return RuleRecord(
        rule=rule.name,
        site=applied.site,
        reason=rule.reason,
        conditions=rule.conditions,
        measured=rule.measured,
        flops_removed=applied.flops_removed,
        bytes_removed=applied.bytes_removed,
        used=False,
    )


def _dropped_records(state: FusionState, dropped: Mapping[str, str]) -> list[RuleRecord]:
    """What was taken out again, as it had been proposed."""
    proposed = {step.key: step for step in state.proposals}
    return [
        RuleRecord(
            rule=step.spec,
            site=step.site,
            reason=step.reason,
            conditions="",
            measured=step.measured,
            flops_removed=step.flops_removed,
            bytes_removed=step.bytes_removed,
            used=False,
            dropped=why,
        )
        for key, why in dropped.items()
        if (step := proposed.get(key)) is not None and step.kind == "rule"
    ]
