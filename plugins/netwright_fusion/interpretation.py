"""Kernels on a machine without CUDA: verified under Triton's interpreter, in a child, and never timed."""

from collections.abc import Collection

from netwright.context import current_run
from netwright.harness.examination import VerificationConfig
from netwright_fusion.bisection import first_wrong
from netwright_fusion.engineer import Rewritten
from netwright_fusion.faults import fails
from netwright_fusion.metrics import KernelRecord
from netwright_fusion.portfolio import Candidate
from netwright_fusion.workbench import Workbench

LABEL = "rewritten_triton"
FEW_DRAWS = VerificationConfig(input_seeds=2, distributions=("large",), special=("nan",))
"""The interpreter takes its time, and templates have tests of their own on odd shapes."""
TOO_LONG = "gave no answer"
NO_DEVICE = "no CUDA device"


def verify_interpreted(
    bench: Workbench, candidate: Candidate, skip: Collection[str]
) -> tuple[list[KernelRecord], str | None]:
    """Hold the candidate's kernels against the oracle, and leave out those that are wrong.

    Returns:
        A record per kernel, and why the candidate as a whole is not verified, or None.
    """
    base = bench.engineer.only(candidate.steps)
    wrong_kernels: dict[str, KernelRecord] = {}
    while True:
        fused = bench.engineer.with_kernels(base, {*skip, *wrong_kernels})
        if not fused.kernels:
            return list(wrong_kernels.values()), "every kernel is wrong"
        wrong = fails(bench, fused, LABEL, FEW_DRAWS)
        if wrong is None or TOO_LONG in wrong:
            records = [*kernel_records(fused, verified=wrong is None, not_timed=NO_DEVICE), *wrong_kernels.values()]
            return records, wrong and f"not verified under the interpreter: {wrong}"
        culprit = _kernel_at_fault(bench, base, fused, {*skip, *wrong_kernels})
        record = next(
            each for each in kernel_records(fused, verified=False, not_timed=NO_DEVICE) if each.site == culprit
        )
        wrong_kernels[culprit] = record.model_copy(update={"dropped": wrong})
        current_run().warn(f"left out the kernel at '{culprit}': {wrong}")


def _kernel_at_fault(bench: Workbench, base: Rewritten, fused: Rewritten, skip: Collection[str]) -> str:
    sites = [site for site, _ in fused.kernels]

    def is_wrong(length: int) -> bool:
        part = bench.engineer.with_kernels(base, {*skip, *sites[length:]})
        return fails(bench, part, f"bisect_kernels_{length}", FEW_DRAWS) is not None

    return sites[first_wrong(len(sites), is_wrong) - 1]


def kernel_records(fused: Rewritten, *, verified: bool, not_timed: str | None) -> list[KernelRecord]:
    """A record per kernel of a graph; that one is used is said later."""
    return [
        KernelRecord(
            name=call.name,
            family=call.family,
            site=site,
            bytes_removed=call.bytes_removed,
            flops_removed=0,
            verified=verified,
            used=False,
            not_timed=not_timed,
        )
        for site, call in fused.kernels
    ]
