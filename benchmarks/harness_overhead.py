"""What judging a variant costs beside its timed calls: starting processes and making every check.

Judges the unmodified `digits_cnn` as its own variant, once and twice at a time, with as little timing as there can be.
Writes benchmarks/results/<date>-harness-overhead.json.
"""

import statistics
import time

from _results import describe_machine, write_results
from netwright.cases import CaseOptions
from netwright.harness import EAGER, TimingConfig, VerificationConfig, compare_variants

REPEATS = 5
CASE = "digits_cnn"
TIMING = TimingConfig(min_rounds=2, max_rounds=2, max_seconds=0.1, warm_up_seconds=0.0)


def judge(labels: tuple[str, ...]) -> float:
    """Seconds to judge that many copies of the unmodified module."""
    variants = [EAGER.model_copy(update={"label": label}) for label in labels]
    started = time.perf_counter()
    comparison = compare_variants(CASE, CaseOptions(), variants, verification=VerificationConfig(), timing=TIMING)
    seconds = time.perf_counter() - started
    assert all(report.correct for report in comparison.reports.values())
    return seconds


if __name__ == "__main__":
    one = [judge(("one",)) for _ in range(REPEATS)]
    two = [judge(("one", "two")) for _ in range(REPEATS)]
    values = {
        "machine": describe_machine(),
        "case": CASE,
        "first_variant_s": statistics.median(one),
        "each_further_variant_s": statistics.median(two) - statistics.median(one),
        "one_s": one,
        "two_s": two,
    }
    print(values)
    write_results("harness-overhead", values)
