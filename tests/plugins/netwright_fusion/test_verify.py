"""Which candidates are not verified any more once another failed."""

from netwright.harness import Comparison, Variant
from netwright.harness.comparison import Report
from netwright.harness.examination import CheckResult
from netwright.harness.timing import Timing
from netwright_fusion.nodes.verify import _fail_as_well
from netwright_fusion.portfolio import Candidate


def compared(**failed: tuple[str, ...]) -> Comparison:
    reports = {
        label: Report(
            variant=Variant(label=label),
            correct=not checks,
            checks=tuple(CheckResult(name=name, outcome="failed", reason="because") for name in checks),
            timing=Timing(label=label),
        )
        for label, checks in failed.items()
    }
    return Comparison(case="mine", seed=0, reports=reports)


def candidate(label: str, execution: str, *steps: str) -> Candidate:
    return Candidate(label=label, kind="rewritten", execution=execution, path="optimized.py", steps=list(steps))


COMPILED = candidate("captured_compiled", "compiled")
FROZEN, PLAIN = candidate("captured_frozen", "frozen"), candidate("captured_eager", "eager")
REWRITTEN = candidate("rewritten_frozen", "frozen", "a step")
ALL = [COMPILED, FROZEN, PLAIN, REWRITTEN]


def test_what_is_compiled_alike_fails_as_the_compiler_does() -> None:
    comparison = compared(eager=(), torch_compile=("accuracy",), captured_compiled=("accuracy",))
    found = _fail_as_well(comparison, ["eager", "torch_compile"], [COMPILED], ALL)
    assert found == {"captured_frozen": "accuracy: 'torch_compile' fails it, too"}


def test_a_fault_of_a_candidate_s_own_says_nothing_of_others() -> None:
    for theirs, ours in (((), ("accuracy",)), (("timer",), ("timer",)), (("accuracy",), ("strides",))):
        comparison = compared(eager=(), torch_compile=theirs, captured_compiled=ours)
        assert _fail_as_well(comparison, ["eager", "torch_compile"], [COMPILED], ALL) == {}
