"""The portfolio: the candidates for one case, and which of them are worth a full verification."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from netwright.harness.variant import Claims, Variant
from netwright.result import Record
from netwright_fusion.metrics import VariantKind
from netwright_fusion.trial import TrialRow

PLAINLY = "eager"
EXECUTIONS = {
    PLAINLY: "operator by operator",
    "compiled": "through torch.compile",
    "frozen": "through torch.compile with the weights as constants, packed once for this machine",
    "max-autotune": "through torch.compile, which tries several kernels for each product",
    "frozen max-autotune": "both frozen and max-autotuned",
}
"""What each way of executing means, in the order in which they are tried."""
BASELINE_EXECUTIONS = {
    "eager": PLAINLY,
    "torch_compile": "compiled",
    "torch_compile_max_autotune": "max-autotune",
}
"""How a file does what a baseline does; a graph without rewrites has no use for these."""
CLOSE = 1.05
"""A second finalist is worth its verification only when it is about as fast as the first in the trial."""
HEAVY_S = 15.0
"""A case whose compilation takes longer is heavy."""
LEVEL = 1.02
"""Trials do not tell such a difference."""
WITHIN_REACH = 0.97
"""How many times faster than the fastest baseline a candidate must be in the trial, to be verified."""


class Figures(Record):
    """What a graph costs per call."""

    flops: int
    bytes: int
    """Read and written by the operators one by one."""


class Candidate(Record):
    """One file that defines a module which may take the case's place."""

    label: str
    kind: VariantKind
    execution: str
    path: str
    """Relative to the run folder."""
    steps: list[str] = []
    """Keys of the rules applied."""
    kernels: list[str] = []
    """Names of Triton kernels that it claims."""
    figures: Figures | None = None
    """Of its graph; None where it has none of its own."""

    def variant(self, root: Path) -> Variant:
        """What the harness loads; in a cage if a language model wrote it."""
        target = f"{root / self.path}:ModelNew"
        claims = Claims(kernels=tuple(self.kernels))
        return Variant(label=self.label, target=target, claims=claims, confined=self.kind == "written")


def label_of(prefix: str, execution: str) -> str:
    """What a version is called under a way of executing."""
    return f"{prefix}_{execution.replace(' ', '_').replace('-', '_')}"


def is_heavy(rows: Mapping[str, TrialRow]) -> bool:
    """Whether compilers take so long that one finalist must do."""
    return any((row.first_call_s or 0.0) > HEAVY_S for row in rows.values())


def choose_finalists(
    rows: Mapping[str, TrialRow],
    candidates: Sequence[Candidate],
    baselines: Sequence[str],
    most: int,
    *,
    least_gain: float = WITHIN_REACH,
) -> list[str]:
    """Labels of the candidates to verify and time, the most promising first: those that may beat every baseline.

    Of those that are as fast as the fastest within what a trial can tell, the one that is executed most simply leads:
    it starts sooner, and there is less in it that can go wrong.

    Args:
        least_gain: How many times faster than the fastest baseline they must be in the trial.
    """
    possible = [
        each.label for each in candidates if each.label in rows and _may_win(rows, each.label, baselines, least_gain)
    ]
    medians = {label: median for label in possible if (median := rows[label].median_ms) is not None}
    least = min(medians.values(), default=0.0)
    ways = {each.label: list(EXECUTIONS).index(each.execution) for each in candidates if each.label in medians}
    close = [label for label in medians if medians[label] <= CLOSE * least]
    level = {label for label in close if medians[label] <= LEVEL * least}
    close.sort(key=lambda label: (label not in level, ways[label] if label in level else 0, medians[label]))
    return close[:most]


def _may_win(rows: Mapping[str, TrialRow], label: str, baselines: Sequence[str], least_gain: float) -> bool:
    """Whether a candidate keeps up with the baselines, in rounds or, where others disturbed those, in single calls."""
    row = rows[label]
    others = [rows[name] for name in baselines if name in rows and rows[name].failed is None]
    times = [(row.median_ms, [each.median_ms for each in others]), (row.call_ms, [each.call_ms for each in others])]
    return row.failed is None and any(_keeps_up(own_ms, others_ms, least_gain) for own_ms, others_ms in times)


def _keeps_up(own_ms: float | None, others_ms: Sequence[float | None], least_gain: float) -> bool:
    least = min((ms for ms in others_ms if ms is not None), default=math.inf)
    return own_ms is not None and own_ms * least_gain <= least
