"""Finding the step at fault, where a candidate fails a check of the harness that the check of its graph passed."""

from collections.abc import Sequence

from netwright.harness.examination import VerificationConfig
from netwright_fusion.bisection import first_wrong
from netwright_fusion.engineer import Rewritten
from netwright_fusion.harness_check import check_variants
from netwright_fusion.portfolio import Candidate
from netwright_fusion.workbench import Workbench

NUMERIC = frozenset(
    ("accuracy", "special values", "mutation", "aliasing", "shape", "strides", "dtype", "structure", "timed output")
)
"""Checks of what is computed: for these a rewrite can be to blame; for others, the way of executing is."""


INTERPRETER = {"TRITON_INTERPRET": "1"}
"""Variables of a process that runs Triton's kernels under its interpreter."""


def step_at_fault(bench: Workbench, candidate: Candidate, failed: Sequence[str]) -> str | None:
    """The key of the first step after which even the plainly executed graph fails, or None where none does.

    Args:
        failed: Names of the checks that the candidate failed.
    """
    if not candidate.steps or NUMERIC.isdisjoint(failed):
        return None

    def is_wrong(length: int) -> bool:
        return fails(bench, bench.engineer.only(candidate.steps[:length]), f"bisect_{length}") is not None

    if not is_wrong(len(candidate.steps)):
        return None
    return candidate.steps[first_wrong(len(candidate.steps), is_wrong) - 1]


def fails(
    bench: Workbench, rewritten: Rewritten, label: str, verification: VerificationConfig | None = None
) -> str | None:
    """What the harness finds wrong with a graph that is executed operator by operator; it is written for that.

    Its kernels, if any, run under Triton's interpreter.
    """
    box = bench.config.interpreter_box_s
    written = bench.engineer.write(label, "triton" if rewritten.kernels else "rewritten", rewritten, "eager")
    environment = INTERPRETER if rewritten.kernels else {}
    examination = check_variants(
        bench.judge,
        bench.name,
        bench.job.case_options,
        [written.variant(bench.root).model_copy(update={"environment": environment})],
        verification or bench.config.verification,
        seed=bench.job.seed,
        call_box_s=box if rewritten.kernels else bench.config.timing.compile_timeout_s,
        total_box_s=box / 3 if rewritten.kernels else float("inf"),
    )[label]
    return next((f"{check.name}: {check.reason}" for check in examination.failed), None)
