"""Verification: does a variant compute what its case computes, and is its time believable."""

from collections.abc import Sequence
from random import SystemRandom

from netwright.cases import Tolerance
from netwright.files import content_key
from netwright.harness import protocol
from netwright.harness.arms import Arm, ArmError
from netwright.harness.checks import CALL_CHECKS, Call
from netwright.harness.examination import Examination, VerificationConfig
from netwright.harness.judge import Judge
from netwright.harness.protocol import Draw, Loaded, Observed, Recalled

TIMER_BLOCK_MS = 60.0
TIMER_ATTEMPTS = 3
TIMER_SLACK_MS = 20.0


def plan_draws(config: VerificationConfig, loaded: Loaded, seed: int) -> list[Draw]:
    """The draws on which to call a variant: those with the first weights, the very first once more, then other weights."""
    base = Draw(seed=seed, weight_seed=seed)
    seeds = [_derived(seed, "inputs", number) for number in range(1, config.input_seeds)]
    draws = [base, *(base.model_copy(update={"seed": other}) for other in seeds)]
    if loaded.floating_inputs:
        draws += [base.model_copy(update={"distribution": each}) for each in config.distributions]
        draws += [base.model_copy(update={"special": each}) for each in config.special]
    if config.strided:
        draws.append(base.model_copy(update={"strided": True}))
    draws.append(base)
    for number in range(1, config.weight_seeds):
        other = _derived(seed, "weights", number)
        draws.append(Draw(seed=other, weight_seed=other, perturbed=True))
    return draws


def examine(judge: Judge, arm: Arm, draws: Sequence[Draw], tolerance: Tolerance, *, timeout: float) -> Examination:
    """Call a variant on every draw and hold each call against the judge's expectation.

    Args:
        timeout: Seconds for one call; compilation may happen in any.

    Raises:
        UserError: The case is wrong.
        ArmError: The unmodified module itself cannot be called on the first draw.
    """
    examination = Examination(arm.label)
    try:
        arm.ready()
        examination.note("loads", None)
    except ArmError as error:
        examination.note("loads", str(error))
        return examination
    for number, draw in enumerate(draws):
        try:
            expected = judge.expected(draw, arm.variant.claims.precision)
        except ArmError:
            if number == 0:
                raise
            continue  # the unmodified module cannot take such inputs either
        if expected.facts.oracle_failure:
            examination.skip("accuracy", f"no float64 oracle: {expected.facts.oracle_failure}")
        try:
            observed, tensors = arm.ask(protocol.Run(draw=draw), Observed, timeout=timeout)
        except ArmError as error:
            examination.note("runs", f"{error} ({draw})")
            if not arm.alive:
                return examination
            continue
        examination.note("runs", None)
        call = Call(draw, expected, observed.structure, observed.leaves, observed.changed, tensors, tolerance)
        note_call(examination, call, repeated=draw in draws[:number])
        _note_settings(examination, observed.settings, judge.loaded.settings)
        if not observed.poisoned:
            examination.skip("poison", "torch's allocator has no switch for it here")
    return examination


def note_call(examination: Examination, call: Call, *, repeated: bool = False, name: str | None = None) -> None:
    """Make every check on a call.

    Args:
        repeated: Whether the same call was made before: then a complaint is one of the check "repeatable".
        name: The check that complaints go to; by default each goes to its own.
    """
    combined = name or ("repeatable" if repeated else None)
    for check_name, check in CALL_CHECKS.items():
        if not call.expected.yardsticks and check_name in ("accuracy", "special values"):
            continue
        reason = check(call)
        shown = f"{reason} ({call.draw})" if reason else None
        examination.note(combined or check_name, f"{check_name}: {shown}" if shown and combined else shown)


def check_timed_call(examination: Examination, judge: Judge, arm: Arm, draw: Draw, tolerance: Tolerance) -> None:
    """Hold the kept output of the last timed calls against what the same call should have returned."""
    recalled, tensors = arm.ask(protocol.Recall(), Recalled, timeout=60)
    varied = draw.model_copy(update={"nonce": recalled.nonce})
    expected = judge.expected(varied, arm.variant.claims.precision)
    call = Call(varied, expected, recalled.structure, recalled.leaves, None, tensors, tolerance)
    note_call(examination, call, name="timed output")


def check_timer(examination: Examination, arm: Arm, call_ms: float, *, timeout: float) -> None:
    """Hold the worker's clock against the judge's, around a block of calls that takes most of the time between."""
    batch = max(1, round(TIMER_BLOCK_MS / max(call_ms, 1e-4)))
    nonce = SystemRandom().randrange(1, 2**31)
    reason: str | None = None
    for _ in range(TIMER_ATTEMPTS):
        request = protocol.Time(nonces=(nonce,), batch=batch, cache="warm")
        times, _ = arm.ask(request, protocol.Times, timeout=timeout)
        claimed, wall = times.times_ms[0] * times.batch, arm.wall_s * 1e3
        if wall / 2 - TIMER_SLACK_MS <= claimed <= wall:
            reason = None
            break
        reason = f"the worker counts {claimed:.1f} ms for {times.batch} calls, the judge's clock {wall:.1f} ms"
    examination.note("timer", reason)


def check_claims(examination: Examination, judge: Judge, arm: Arm, profile: protocol.Profiled) -> None:
    """Hold what a variant says of itself against its profile."""
    claims = arm.variant.claims
    names = [op.name for op in profile.ops]
    absent = [kernel for kernel in claims.kernels if not any(kernel in name for name in names)]
    reason = f"kernel '{absent[0]}' does not show up in its profile" if absent else None
    allowed = set(judge.profile().dtypes) | {judge.loaded.dtype, claims.precision}
    lower = [dtype for dtype in profile.dtypes if dtype not in allowed and dtype != "float64"]
    if lower:
        reason = f"operators work in {lower[0]}, which it does not claim"
    examination.note("claims", reason)


def _note_settings(examination: Examination, settings: dict[str, str], before: dict[str, str]) -> None:
    changed = [name for name in before if settings.get(name) != before[name]]
    first = changed[0] if changed else ""
    examination.note("settings", f"it sets {first} to {settings.get(first)} from {before[first]}" if changed else None)


def _derived(seed: int, *parts: object) -> int:
    return int(content_key(seed, *parts)[:7], 16)
