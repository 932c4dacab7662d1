"""Verification: does a variant compute what its case computes, and is its time believable."""

import re
from random import SystemRandom

import torch

from netwright.errors import UserError
from netwright.files import content_key
from netwright.harness import protocol, source
from netwright.harness.arms import Arm, ArmError
from netwright.harness.checks import CALL_CHECKS, Call, repeatable
from netwright.harness.examination import Examination, VerificationConfig
from netwright.harness.judge import Judge, JudgeError
from netwright.harness.protocol import Draw, Loaded, Observed, Recalled
from netwright.harness.variant import Variant

PRECISIONS = ("float64", "float32", "bfloat16", "float16")
"""What a variant may claim to compute in."""
FLOOR_ATTEMPTS = 3
"""A machine that is busy while its best is measured would make the floor too high."""
MINIMAL_SET_BITS = 14
BYTES_MARGIN = 2.0
"""A kernel may move bytes somewhat faster than the copy whose bandwidth was measured."""
FLOPS_MARGIN = 3.0
"""Winograd's convolution does with 2.25 times fewer operations than are counted (Lavin and Gray, 2015)."""


def plan_draws(config: VerificationConfig, loaded: Loaded, seed: int) -> tuple[list[Draw], list[Draw]]:
    """The draws on which to call a variant: those with the first weights, the very first once more at their end; and
    those with other weights, for which it must be loaded anew.
    """
    base = Draw(seed=seed, weight_seed=seed)
    seeds = [SystemRandom().randrange(2**31) for _ in range(1, config.input_seeds)]
    draws = [base, *(base.model_copy(update={"seed": other}) for other in seeds)]
    if loaded.floating_inputs:
        draws += [base.model_copy(update={"distribution": each}) for each in config.distributions]
        draws += [base.model_copy(update={"special": each}) for each in config.special]
    if config.strided:
        draws.append(base.model_copy(update={"strided": True}))
    others = [_derived(seed, "weights", number) for number in range(1, config.weight_seeds)]
    further = [Draw(seed=other, weight_seed=other, perturbed=True) for other in others]
    if config.other_batch and further:
        further[-1] = further[-1].model_copy(update={"resized": True})
    return [*draws, base], further


def admit(variant: Variant, config: VerificationConfig, examination: Examination) -> bool:
    """Look at what a variant says and, where it is a file, at how it is written; whether it may be run."""
    precision = variant.claims.precision
    if precision is not None and precision not in PRECISIONS:
        examination.note("claims", f"it claims to compute in {precision}, which is none of {', '.join(PRECISIONS)}")
    if config.source and source.is_readable(variant):
        try:
            examination.note("source", source.complaint(variant, config.imports))
        except UserError as error:
            examination.note("loads", str(error))
    return not examination.failed


def load(arm: Arm, examination: Examination) -> None:
    """Wait for a variant to be loaded, and note whether it was.

    Raises:
        UserError: The case is wrong.
    """
    try:
        arm.ready()
        examination.note("loads", None)
    except ArmError as error:
        examination.note(error.check, str(error))


def examine(judge: Judge, arm: Arm, draw: Draw, examination: Examination, *, timeout: float) -> None:
    """Call a loaded variant once and hold the call against the judge's expectation.

    Args:
        timeout: Seconds for the call; compilation may happen in any.

    Raises:
        JudgeError: The unmodified module itself cannot be called.
    """
    expected = judge.expected(draw, arm.variant.claims.precision)
    if expected.facts.oracle_failure:
        examination.skip("accuracy", f"no float64 oracle: {expected.facts.oracle_failure}")
    try:
        observed, tensors = arm.ask(protocol.Run(draw=draw), Observed, timeout=timeout)
    except ArmError as error:
        examination.note(error.check, f"{error} ({draw})")
        return
    arm.note_first_call(observed.seconds)
    examination.note("runs", None)
    tolerance = judge.loaded.tolerance
    call = Call(draw, expected, observed.structure, observed.leaves, observed.changed, tensors, tolerance)
    again = draw in examination.draws
    note_call(examination, call, name="repeatable" if again else None)
    if again and arm.variant.claims.deterministic and judge.is_repeatable(draw):
        examination.note("repeatable", repeatable(examination.first, tensors))
    examination.first = examination.first or tensors
    examination.draws.append(draw)
    examination.note("finished", "its outputs still change after it returned" if observed.unfinished else None)
    _note_settings(examination, observed.settings, judge.loaded.settings)
    if not observed.poisoned:
        examination.skip("poison", "torch's allocator has no switch for it here")


def note_call(examination: Examination, call: Call, *, name: str | None = None) -> None:
    """Make every check on a call.

    Args:
        name: The check that complaints go to; by default each goes to its own. Complaints that are known already are
            not repeated there.
    """
    for check_name, check in CALL_CHECKS.items():
        if not call.expected.yardsticks and check_name in ("accuracy", "special values"):
            continue
        reason = check(call)
        if reason and name and examination.has_failed(check_name):
            continue
        shown = f"{reason} ({call.draw})" if reason else None
        examination.note(name or check_name, f"{check_name}: {shown}" if shown and name else shown)


def check_timed_call(examination: Examination, judge: Judge, arm: Arm, draw: Draw, *, timeout: float) -> None:
    """Hold the kept output of the last timed calls against what the same call should have returned.

    Raises:
        ArmError: The variant's worker does not answer.
        JudgeError: The unmodified module itself cannot be called.
    """
    recalled, tensors = arm.ask(protocol.Recall(), Recalled, timeout=timeout)
    varied = draw.model_copy(update={"nonce": recalled.nonce})
    expected = judge.expected(varied, arm.variant.claims.precision)
    tolerance = judge.loaded.tolerance
    call = Call(varied, expected, recalled.structure, recalled.leaves, None, tensors, tolerance)
    note_call(examination, call, name="timed output")


def check_claims(examination: Examination, judge: Judge, arm: Arm, profile: protocol.Profiled) -> None:
    """Hold what a variant says of itself against its profile.

    Raises:
        JudgeError: The unmodified module itself cannot be profiled.
    """
    claims = arm.variant.claims
    names = {name for op in profile.ops if not op.annotation for name in (op.name, _bare_name(op.name))}
    absent = [kernel for kernel in claims.kernels if kernel not in names]
    reason = f"kernel '{absent[0]}' does not show up in its profile" if absent else None
    if claims.kernels and not absent:
        reason = _idle_claim(claims.kernels, profile, judge.profile())
    declared = {judge.loaded.dtype, arm.variant.claims.precision}
    lower = {dtype for dtype in profile.dtypes if dtype not in declared and _eps(dtype) > _eps(judge.loaded.dtype)}
    if lower and (undeclared := lower - set(judge.profile().dtypes)):
        reason = f"operators work in {min(undeclared)}, which it does not claim"
    examination.note("claims", reason)


def _idle_claim(kernels: tuple[str, ...], ours: protocol.Profiled, theirs: protocol.Profiled) -> str | None:
    """Why kernels that do run are none to speak of: the unmodified module has them too, or does all its work still."""
    counts = {op.name: op.calls / ours.profiled_calls for op in ours.ops}
    known = {name for op in theirs.ops for name in (op.name, _bare_name(op.name))}
    if shared := [kernel for kernel in kernels if kernel in known]:
        return f"kernel '{shared[0]}' runs in the unmodified module, too"
    if all(counts.get(op.name, 0) >= op.calls / theirs.profiled_calls for op in theirs.ops):
        return "every operator of the unmodified module still runs beside the kernels that it claims"
    return None


def check_floor(examination: Examination, judge: Judge, arm: Arm, draw: Draw, median_ms: float, flops: int) -> None:
    """Hold a latency against the least time that the bytes and operations of a call can take on this machine.

    Args:
        flops: Floating-point operations that the variant itself executes per call: who removes some has a lower floor.
    """
    reason = None
    for attempt in range(FLOOR_ATTEMPTS):
        try:
            floor, what = _floor(judge, draw, arm.variant.claims.precision, flops, again=attempt > 0)
        except JudgeError as error:
            return examination.skip("floor", str(error))
        reason = f"{median_ms:.3g} ms per call; {what} cannot take less than {floor:.3g} ms here"
        if median_ms >= floor:
            return examination.note("floor", None)
    return examination.note("floor", reason)


def _floor(judge: Judge, draw: Draw, precision: str | None, flops: int, *, again: bool) -> tuple[float, str]:
    """The least time of a call in ms, and what takes it."""
    touched = judge.number(protocol.TouchedBytes(draw=draw), again=False)
    working_set = 1 << max(int(touched).bit_length() - 1, MINIMAL_SET_BITS)
    bandwidth = judge.number(protocol.Bandwidth(working_set=working_set), again=again)
    rate = judge.number(protocol.PeakRate(dtype=precision or judge.loaded.dtype), again=again)
    return max(
        (touched / bandwidth * 1e3 / BYTES_MARGIN, f"moving {touched:,.0f} bytes"),
        (flops / rate * 1e3 / FLOPS_MARGIN, f"{flops:,} floating-point operations"),
    )


def _bare_name(kernel: str) -> str:
    """A kernel's name without its result type, namespaces, template arguments and parameters."""
    return re.sub(r"[<(].*", "", kernel).split(" ")[-1].split("::")[-1]


def _eps(dtype: str) -> float:
    return torch.finfo(getattr(torch, dtype)).eps


def _note_settings(examination: Examination, settings: dict[str, str], before: dict[str, str]) -> None:
    changed = [name for name in before if settings.get(name) != before[name]]
    first = changed[0] if changed else ""
    examination.note("settings", f"it sets {first} to {settings.get(first)} from {before[first]}" if changed else None)


def _derived(seed: int, *parts: object) -> int:
    return int(content_key(seed, *parts)[:7], 16)
