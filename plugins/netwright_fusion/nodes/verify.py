"""Verification feedback: the harness judges and times baselines and finalists; what fails goes back to the engineer."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from netwright.context import current_run
from netwright.files import write_json
from netwright.harness.comparison import Comparison, compare_variants
from netwright.harness.examination import VerificationConfig
from netwright.harness.runner import TRACE, artifact_folder, metrics_of
from netwright_fusion.capture import Captured
from netwright_fusion.engineer import explain
from netwright_fusion.faults import NUMERIC, step_at_fault
from netwright_fusion.harness_check import check_variants
from netwright_fusion.interpretation import verify_interpreted
from netwright_fusion.metrics import KernelRecord, VariantRecord
from netwright_fusion.portfolio import BASELINE_EXECUTIONS, PLAINLY, Candidate, choose_finalists
from netwright_fusion.rules.degenerate import why_constant
from netwright_fusion.shares import op_shares
from netwright_fusion.state import FusionState
from netwright_fusion.trial import TrialRow
from netwright_fusion.verdict import Verdict, reach_verdict
from netwright_fusion.workbench import Workbench
from netwright_fusion.written import attempts_of

BASELINE_CHECKS = VerificationConfig(
    input_seeds=2, weight_seeds=1, distributions=(), special=(), strided=False, other_batch=False
)
"""A baseline was judged already; its file must only be shown to be that baseline."""


def verify(bench: Workbench, state: FusionState) -> dict[str, object]:
    """Judge and time, choose the best, and say what has to be done again.

    Raises:
        UserError: The case is wrong.
        NetwrightError: The unmodified module itself cannot be run.
    """
    trial = {row.label: row for row in state.trial}
    by_label = {candidate.label: candidate for candidate in state.candidates}
    finalists = [by_label[label] for label in state.finalists]
    comparison = _compare(bench, trial, finalists)
    baselines = [variant.label for variant in bench.baselines]
    verdict = reach_verdict(
        comparison,
        baselines,
        state.candidates,
        trial,
        least_gain=bench.config.least_gain,
        rejected=state.rejected,
    )
    rejected = _rejections(comparison, finalists)
    reasons = {label: _reason(comparison, label) for label in rejected}
    reasons |= _fail_as_well(comparison, baselines, finalists, state.candidates)
    retry, wrong = False, dict[str, str]()
    if rejected and state.round < bench.config.rounds:
        if not _is_won(verdict):
            failed = [each for each in finalists if each.label in rejected]
            faults = {each.label: step_at_fault(bench, each, rejected[each.label]) for each in failed}
            wrong = {key: _reason(comparison, label) for label, key in faults.items() if key is not None}
        retry = bool(wrong) or _others_may_win(bench, state, verdict, rejected, reasons)
    return {
        **_outcome(bench, state, comparison, verdict, by_label, is_last=not retry),
        "retry": retry,
        "dropped": {**state.dropped, **wrong},
        "rejected": {**state.rejected, **reasons},
    }


def _compare(bench: Workbench, trial: Mapping[str, TrialRow], finalists: Sequence[Candidate]) -> Comparison:
    usable = [each for each in bench.baselines if each.label == "eager" or not _failed(trial, each.label)]
    variants = [*usable, *(each.variant(bench.root) for each in finalists)]
    folders = {variant.label: artifact_folder(variant.label) for variant in variants}
    comparison = compare_variants(
        bench.name,
        bench.job.case_options,
        variants,
        comparators=[each.label for each in usable],
        verification=bench.config.verification,
        timing=bench.config.timing.model_copy(update={"compile_timeout_s": bench.patience_s}),
        traces={label: folder / TRACE for label, folder in folders.items()},
        expert=bench.judge,
        seed=bench.job.seed,
    )
    for label, report in comparison.reports.items():
        write_json(folders[label] / "metrics.json", metrics_of(report, comparison.case).model_dump(mode="json"))
    if isinstance(bench.captured, Captured) and (why := why_constant(bench.captured.graph)):
        return comparison.model_copy(update={"degenerate": f"{comparison.degenerate or 'a constant'} ({why})"})
    return comparison


def _outcome(
    bench: Workbench,
    state: FusionState,
    comparison: Comparison,
    verdict: Verdict,
    by_label: Mapping[str, Candidate],
    *,
    is_last: bool,
) -> dict[str, object]:
    """What is handed back, and its file: the winner's, or one that does what the fastest baseline does.

    Args:
        is_last: Whether no other round follows, after which a baseline may be handed back all the same.
    """
    best = verdict.best
    winner = by_label.get(best) if best is not None else None
    used = set(winner.steps) if winner else set[str]()
    with ThreadPoolExecutor(1) as beside:  # nothing is timed any more
        module = beside.submit(copy_context().run, _module, bench, best, winner, is_last=is_last)
        variants, kernels = _kernels(bench, state, verdict.variants, used, by_label)
    path = module.result()
    variants = [row.model_copy(update={"module": path or ""}) if row.label == best else row for row in variants]
    update: dict[str, object] = {
        "best": best,
        "fastest_baseline": verdict.fastest_baseline,
        "speedup": verdict.speedup,
        "degenerate": comparison.degenerate,
        "module": path,
        "variants": variants,
        "kernels": kernels,
        "rules": [
            rule.model_copy(update={"used": f"{rule.rule}: {rule.site}" in used and not rule.dropped})
            for rule in state.rules
        ],
        "profile_after": op_shares(comparison.reports[best].profile) if best in comparison.reports else [],
    }
    if before := op_shares(comparison.reports["eager"].profile):
        update["profile_before"] = before
    return update


def _module(bench: Workbench, best: str | None, winner: Candidate | None, *, is_last: bool) -> str | None:
    """The path of the file that is handed back, if there is one."""
    if winner is not None:
        return winner.path
    return _baseline_module(bench, best) if best is not None and is_last else None


def _kernels(
    bench: Workbench,
    state: FusionState,
    variants: list[VariantRecord],
    used: set[str],
    by_label: Mapping[str, Candidate],
) -> tuple[list[VariantRecord], list[KernelRecord]]:
    """The rows with what the interpreter said of candidates that cannot be timed here, and kernel records."""
    verified = {key for row in variants if row.verified and row.label in by_label for key in by_label[row.label].steps}
    kernels = [
        each.model_copy(update={"used": each.site in used, "verified": each.site in verified}) for each in state.kernels
    ]
    untimed = next((each for each in by_label.values() if each.kind == "triton" and bench.on_cpu), None)
    if untimed is None:
        return variants, kernels
    row = next((row for row in state.variants if row.label == untimed.label), None)
    if row is None:
        skip = {*bench.config.skip, *state.dropped}
        try:
            kernels, reason = verify_interpreted(bench, untimed, skip)
        except Exception as error:  # kernels that cannot be verified take nothing else down
            reason = f"not verified under the interpreter: {explain(error)}"
        failed = [reason] if reason else []
        row = VariantRecord(
            label=untimed.label,
            kind="triton",
            verified=reason is None,
            not_timed="no CUDA device",
            execution=untimed.execution,
            module=untimed.path,
            failed=failed,
        )
    else:
        kernels = state.kernels
    return [each if each.label != row.label else row for each in variants], kernels


def _baseline_module(bench: Workbench, baseline: str) -> str | None:
    """The path of a file that does what a baseline does, verified; None where it cannot be written or is not right."""
    label = f"{baseline}_module"
    try:
        written = bench.engineer.write_baseline(label, BASELINE_EXECUTIONS.get(baseline, PLAINLY))
        examination = check_variants(
            bench.judge,
            bench.name,
            bench.job.case_options,
            [written.variant(bench.root)],
            BASELINE_CHECKS,
            seed=bench.job.seed,
            call_box_s=bench.patience_s,
        )[label]
    except Exception as error:  # the baseline itself stays measured, whatever keeps it from being written
        current_run().warn(f"the fastest baseline, '{baseline}', cannot be written as a module: {explain(error)}")
        return None
    if examination.failed:
        first = examination.failed[0]
        current_run().warn(f"the module of baseline '{baseline}' fails the check '{first.name}': {first.reason}")
        return None
    return written.path


def _rejections(comparison: Comparison, finalists: Sequence[Candidate]) -> dict[str, list[str]]:
    """The names of the checks that finalists failed, by label."""
    reports = {each.label: comparison.reports[each.label] for each in finalists}
    return {label: [check.name for check in report.failed] for label, report in reports.items() if report.failed}


def _fail_as_well(
    comparison: Comparison, baselines: Sequence[str], finalists: Sequence[Candidate], candidates: Sequence[Candidate]
) -> dict[str, str]:
    """Why not to verify other ways of compiling a graph: torch.compile's own result is as wrong as a finalist was."""
    judged = {label: comparison.reports[label] for label in baselines if label in comparison.reports}
    wrong = {check.name: label for label, report in judged.items() for check in report.failed if check.name in NUMERIC}
    failed = {check.name: each for each in finalists for check in comparison.reports[each.label].failed}
    return {
        other.label: f"{check}: '{wrong[check]}' fails it, too"
        for check, each in failed.items()
        for other in candidates
        if check in wrong
        and PLAINLY not in (each.execution, other.execution)
        and other.steps == each.steps
        and other.label not in comparison.reports
    }


def _others_may_win(
    bench: Workbench,
    state: FusionState,
    verdict: Verdict,
    rejected: Mapping[str, Sequence[str]],
    reasons: Mapping[str, str],
) -> bool:
    """Whether a written candidate can be repaired, or another of the trial may still beat what there is."""
    written = [each.label for each in state.candidates if each.kind == "written" and each.label in rejected]
    if any(attempts_of(state.candidates, label) <= bench.config.written_repairs for label in written):
        return True
    if _is_won(verdict):
        return False
    failed = {*reasons, *state.rejected}
    left = [each for each in state.candidates if each.label not in failed and each.kind != "written"]
    baselines = [variant.label for variant in bench.baselines]
    rows = {row.label: row for row in state.trial}
    return bool(choose_finalists(rows, left, baselines, 1, least_gain=bench.config.least_gain))


def _is_won(verdict: Verdict) -> bool:
    return verdict.best is not None and verdict.best != verdict.fastest_baseline


def _reason(comparison: Comparison, label: str) -> str:
    first = comparison.reports[label].failed[0]
    return f"{first.name}: {first.reason}"


def _failed(trial: Mapping[str, TrialRow], label: str) -> bool:
    return label in trial and trial[label].failed is not None
