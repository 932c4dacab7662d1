"""The comparison: variants of one case, verified and timed side by side, and what may be claimed of them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from contextvars import copy_context
from pathlib import Path

from netwright.cases import CaseOptions
from netwright.context import current_run
from netwright.errors import NetwrightError
from netwright.harness import protocol
from netwright.harness.arms import Arm, ArmError
from netwright.harness.examination import CheckResult, Examination, VerificationConfig
from netwright.harness.judge import Judge, JudgeError
from netwright.harness.proof import LEAST_PROOFS, check_proof
from netwright.harness.protocol import Draw, Number, Profiled
from netwright.harness.rounds import open_arms, time_arms
from netwright.harness.statistics import Ratio
from netwright.harness.timing import DEFAULT_TIMING, Timing, TimingConfig, speedup
from netwright.harness.variant import Variant
from netwright.harness.verify import (
    admit,
    check_claims,
    check_floor,
    check_timed_call,
    examine,
    load,
    plan_draws,
)
from netwright.machine import usable_cores
from netwright.result import Record

PROFILED_CALLS = 3
AT_A_TIME = 2
"""Variants that are verified side by side on a CPU: one computes while what another computed is looked at."""
DEFAULT_VERIFICATION = VerificationConfig()


class Report(Record):
    """Everything about one variant."""

    variant: Variant
    correct: bool
    """Whether it was held against the oracle and no check failed."""
    checks: tuple[CheckResult, ...]
    timing: Timing
    numbers: dict[str, Number] = {}
    """Model metrics by name."""
    profile: Profiled | None = None
    trace: Path | None = None
    """Its Chrome trace."""

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.outcome == "failed")


class Claim(Record):
    """A speed-up, or why there is none to speak of."""

    value: float | None = None
    ci: tuple[float, float] | None = None
    against: str | None = None
    """The label of the fastest correct comparator."""
    withheld: str | None = None


class Comparison(Record):
    """Variants of one case side by side."""

    case: str
    seed: int
    degenerate: str | None = None
    """What would pass for an output without computing anything; no speed-up is claimed then."""
    reports: dict[str, Report]
    """By label, in the order in which they were asked for."""

    def fastest(self, labels: Sequence[str]) -> str | None:
        """The label of the fastest correct one among `labels`."""
        medians = {
            label: report.timing.median_ms
            for label, report in self.reports.items()
            if label in labels and report.correct and report.timing.median_ms is not None
        }
        return min(medians, key=lambda label: medians[label], default=None)

    def claim(self, label: str, comparators: Sequence[str]) -> Claim:
        """How many times faster a variant is than the fastest of the comparators, where that may be said."""
        report = self.reports[label]
        against = self.fastest([name for name in comparators if name != label])
        if self.degenerate:
            return Claim(against=against, withheld=f"the case is degenerate: {self.degenerate} would pass")
        if not report.correct:
            names = ", ".join(check.name for check in report.failed)
            return Claim(against=against, withheld=f"failed checks: {names}" if names else "it could not be verified")
        if against is None:
            return Claim(withheld="no comparator was measured")
        ratio: Ratio | None = speedup(self.reports[against].timing, report.timing)
        if ratio is None:
            return Claim(against=against, withheld=report.timing.not_measured)
        return Claim(value=ratio.value, ci=(ratio.low, ratio.high), against=against)


def compare_variants(
    case_name: str,
    options: CaseOptions,
    variants: Sequence[Variant],
    *,
    comparators: Collection[str] = (),
    verification: VerificationConfig = DEFAULT_VERIFICATION,
    timing: TimingConfig = DEFAULT_TIMING,
    metrics: Mapping[str, str] | None = None,
    traces: Mapping[str, Path] | None = None,
    expert: Judge | None = None,
    seed: int = 0,
) -> Comparison:
    """Verify variants of a case, time those that compute the right thing, and profile them.

    NB: random modules (dropout in train mode) are judged by seeding all generators alike before every call. A variant
    that draws its numbers in another order or from a generator of its own is rejected, though it may be right.

    Args:
        case_name: The case's URI-like name.
        variants: What to compare; labels must differ.
        comparators: Labels of those of which nobody claims anything, such as compilers' own results. They are judged on
            the same inputs as all, with one proof, but not on what a compiler compiles anew for: other weights,
            strides, batch sizes.
        metrics: Model metrics by name: the target of each, a function `(module, inputs) -> float`.
        traces: By label, where to write a Chrome trace.
        expert: A judge who knows this case and seed already and stays; by default, the comparison has one of its own.
        seed: Draws weights, inputs and the order of arms.

    Raises:
        UserError: The case is wrong, or two variants have one label.
        JudgeError: The unmodified module itself cannot be run.
    """
    draw = Draw(seed=seed, weight_seed=seed)
    threads = timing.threads or usable_cores()
    limit = timing.compile_timeout_s
    examinations = {variant.label: Examination(variant.label) for variant in variants}
    welcome = [each for each in variants if admit(each, verification, examinations[each.label])]
    own = ExitStack()
    judge = expert or own.enter_context(Judge(case_name, options, threads=threads, seed=seed, call_timeout=limit))
    with own, open_arms(case_name, options, welcome, timing, seed=seed) as arms:
        with _compiling([arm for arm in arms if arm.label in comparators], draw, limit):
            draws, other_weights = plan_draws(verification, judge.loaded, seed)
            other_inputs = draws[1] if verification.input_seeds > 1 else draw.model_copy(update={"seed": seed + 1})
            degenerate = judge.trivial_answer(draw, other_inputs)
        once = [each for each in draws if not each.strided]
        chosen = {arm.label: once if arm.label in comparators else draws for arm in arms}
        uncompiled_first = sorted(arms, key=lambda arm: arm.label in comparators)
        _verify_all(judge, uncompiled_first, chosen, examinations, verification, limit)
        sound = [arm for arm in arms if not examinations[arm.label].failed]

        def inspect(arm: Arm) -> None:
            if arm is not judge.arm:
                check_timed_call(examinations[arm.label], judge, arm, draw, timeout=timing.call_timeout_s)

        unmodified = next((arm for arm in sound if not arm.variant.target), judge.arm)
        timed = dict.fromkeys([*sound, unmodified]) if sound else {}
        timings = time_arms(list(timed), timing, draw, seed=seed, inspect=inspect) if timed else {}
        reports = {}
        for arm in arms:
            examination = examinations[arm.label]
            measured = timings.get(arm.label) or _not_timed(examination, timing)
            if arm in sound and measured.not_measured:
                examination.note(arm.failed_check or "runs", measured.not_measured)
            trace = (traces or {}).get(arm.label)
            beside = timings.get(unmodified.label)
            proofs = 1 if arm.label in comparators else LEAST_PROOFS
            profile = _profile(
                judge, arm, examination, measured, beside, trace, draw, proofs=proofs, timeout=timing.call_timeout_s
            )
            numbers = {name: _number(arm, target, timing.call_timeout_s) for name, target in (metrics or {}).items()}
            if arm in sound and arm.label not in comparators:
                others = [_takeable(judge, each) for each in other_weights]
                _verify(judge, arm, others, examination, verification, limit)
            reports[arm.label] = Report(
                variant=arm.variant,
                correct=examination.correct,
                checks=examination.checks,
                timing=measured,
                numbers=numbers,
                profile=profile,
                trace=trace if profile else None,
            )
    for variant in variants:
        if variant.label not in reports:
            examination = examinations[variant.label]
            unread = _not_timed(examination, timing)
            reports[variant.label] = Report(variant=variant, correct=False, checks=examination.checks, timing=unread)
    in_order = {variant.label: reports[variant.label] for variant in variants}
    return Comparison(case=case_name, seed=seed, degenerate=degenerate, reports=in_order)


@contextmanager
def _compiling(arms: Sequence[Arm], draw: Draw, timeout: float) -> Iterator[None]:
    """Let arms make their first calls side by side, for compilers use one processor each; the block ends after them."""
    with ThreadPoolExecutor(max(len(arms), 1)) as pool:
        for arm in arms:
            pool.submit(_call_once, arm, draw, timeout)
        yield


def _call_once(arm: Arm, draw: Draw, timeout: float) -> None:
    with suppress(NetwrightError):  # what fails here is found again, and told, when it is judged
        observed, _ = arm.ask(protocol.Run(draw=draw), protocol.Observed, timeout=timeout)
        arm.note_first_call(observed.seconds)


def _takeable(judge: Judge, draw: Draw) -> Draw:
    """The draw, with the case's own batch size where the unmodified module takes no other."""
    try:
        judge.expected(draw)
    except JudgeError:
        if not judge.alive:
            raise
        return draw.model_copy(update={"resized": False})
    return draw


def _verify_all(
    judge: Judge,
    arms: Sequence[Arm],
    draws: Mapping[str, Sequence[Draw]],
    examinations: Mapping[str, Examination],
    verification: VerificationConfig,
    timeout: float,
) -> None:
    """Verify every variant on its draws, two at a time on a CPU.

    Raises:
        UserError: The case is wrong.
        JudgeError: The unmodified module cannot be called any more.
    """
    at_a_time = AT_A_TIME if judge.loaded.device == "cpu" else 1

    def verify(arm: Arm) -> None:
        _verify(judge, arm, draws[arm.label], examinations[arm.label], verification, timeout)

    with current_run().step("verification"), ThreadPoolExecutor(at_a_time) as pool:
        verified = [pool.submit(copy_context().run, verify, arm) for arm in arms]
        try:
            for each in verified:
                each.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for arm in (judge.arm, *arms):
                arm.close()  # nobody waits for what they do any more
            raise


def _verify(
    judge: Judge,
    arm: Arm,
    draws: Sequence[Draw],
    examination: Examination,
    verification: VerificationConfig,
    timeout: float,
) -> None:
    """Call a variant on every draw, as long as it answers and its failures are of interest."""
    if not draws:
        return
    with current_run().step(f"verify {arm.label}", total=len(draws)) as step:
        load(arm, examination)
        for draw in draws:
            if not arm.alive or (examination.failed and not verification.every_failure):
                return
            try:
                examine(judge, arm, draw, examination, timeout=timeout)
            except JudgeError:  # the unmodified module cannot take such inputs either
                if not judge.alive:
                    raise
            step.advance()


def _not_timed(examination: Examination, config: TimingConfig) -> Timing:
    first = examination.failed[0]
    reason = first.reason if first.name in ("loads", "runs") else f"it failed the check '{first.name}'"
    return Timing(label=examination.label, cache=config.cache, not_measured=reason)


def _profile(
    judge: Judge,
    arm: Arm,
    examination: Examination,
    measured: Timing,
    unmodified: Timing | None,
    trace: Path | None,
    draw: Draw,
    *,
    proofs: int,
    timeout: float,
) -> Profiled | None:
    """Profile a timed variant, and hold its time and its claims against what that shows.

    Raises:
        JudgeError: The unmodified module cannot be timed.
    """
    if measured.median_ms is None or unmodified is None:
        return None
    if unmodified.median_ms is None:
        raise JudgeError("the unmodified module cannot be timed", why=unmodified.not_measured or "")
    try:
        profile = arm.profile(PROFILED_CALLS, trace, timeout=timeout)
        latencies = measured.median_ms, unmodified.median_ms
        check_proof(examination, judge, arm, draw, *latencies, proofs=proofs, timeout=timeout)
        check_claims(examination, judge, arm, profile)
        check_floor(examination, judge, arm, draw, measured.median_ms, profile.flops)
    except ArmError as error:
        examination.note(error.check, str(error))
        return None
    return profile


def _number(arm: Arm, target: str, timeout: float) -> Number:
    try:
        return arm.ask(protocol.ModelMetric(target=target), Number, timeout=timeout)[0]
    except ArmError as error:
        return Number(value=None, not_measured=str(error))
