"""The harness's checks without its timing: for kernels under the interpreter, and to find a step at fault."""

import time
from collections.abc import Sequence

from netwright.cases import CaseOptions
from netwright.context import current_run
from netwright.harness.examination import Examination, VerificationConfig
from netwright.harness.judge import Judge, JudgeError
from netwright.harness.rounds import open_arms
from netwright.harness.timing import TimingConfig
from netwright.harness.variant import Variant
from netwright.harness.verify import admit, examine, load, plan_draws


def check_variants(
    judge: Judge,
    case: str,
    options: CaseOptions,
    variants: Sequence[Variant],
    verification: VerificationConfig,
    *,
    seed: int,
    call_box_s: float,
    total_box_s: float = float("inf"),
) -> dict[str, Examination]:
    """Hold variants against the float64 oracle, each in a process of its own, and time nothing.

    Args:
        judge: One who knows this case and seed.
        call_box_s: Longest wait for one call.
        total_box_s: When it is used up, a variant that was right on one draw of each kind of weights is not called
            again.

    Raises:
        UserError: The case is wrong.
        JudgeError: The unmodified module itself cannot be run.
    """
    examinations = {variant.label: Examination(variant.label) for variant in variants}
    welcome = [each for each in variants if admit(each, verification, examinations[each.label])]
    timing = TimingConfig(compile_timeout_s=call_box_s)
    with open_arms(case, options, welcome, timing, seed=seed) as arms:
        (base, *draws), others = plan_draws(verification, judge.loaded, seed)
        ordered = [base, *draws, *others] if total_box_s == float("inf") else [base, *others, *draws]
        for arm in arms:
            examination = examinations[arm.label]
            deadline = time.monotonic() + total_box_s
            with current_run().step(f"check {arm.label}", total=len(ordered)) as step:
                load(arm, examination)
                for number, draw in enumerate(ordered):
                    if not arm.alive or examination.failed:
                        break
                    if number > len(others) and time.monotonic() > deadline:
                        break
                    try:
                        examine(judge, arm, draw, examination, timeout=call_box_s)
                    except JudgeError:  # the unmodified module cannot take such inputs either
                        if not judge.alive:
                            raise
                    step.advance()
    return examinations
