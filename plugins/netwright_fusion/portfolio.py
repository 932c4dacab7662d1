"""The portfolio: the candidates for one case, and which of them are worth a full verification."""

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
HOPELESS = 1.03
"""A candidate that is slower than the fastest baseline by this factor in the trial is not verified."""


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

    def variant(self, root: Path) -> Variant:
        """What the harness loads."""
        target = f"{root / self.path}:ModelNew"
        return Variant(label=self.label, target=target, claims=Claims(kernels=tuple(self.kernels)))


def label_of(prefix: str, execution: str) -> str:
    """What a version is called under a way of executing."""
    return f"{prefix}_{execution.replace(' ', '_').replace('-', '_')}"


def fastest(rows: Mapping[str, TrialRow], labels: Sequence[str]) -> str | None:
    """The label that was fastest in the trial, of those that work."""
    medians = {
        label: row.median_ms
        for label, row in rows.items()
        if label in labels and row.failed is None and row.median_ms is not None
    }
    return min(medians, key=lambda label: medians[label], default=None)


def is_heavy(rows: Mapping[str, TrialRow]) -> bool:
    """Whether compilers take so long that one finalist must do, and that only it is compiled for every draw."""
    return any((row.first_call_s or 0.0) > HEAVY_S for row in rows.values())


def choose_finalists(
    rows: Mapping[str, TrialRow], candidates: Sequence[Candidate], baselines: Sequence[str], most: int
) -> list[str]:
    """Labels of the candidates to verify and time, the most promising first: those that may beat every baseline.

    Of those that are as fast as the fastest within what a trial can tell, the one that is executed most simply leads:
    it starts sooner, and there is less in it that can go wrong.
    """
    best = fastest(rows, baselines)
    limit = (rows[best].median_ms or 0.0) * HOPELESS if best else float("inf")
    medians = {}
    for each in candidates:
        row = rows.get(each.label)
        if row is not None and row.failed is None and row.median_ms is not None and row.median_ms <= limit:
            medians[each.label] = row.median_ms
    least = min(medians.values(), default=0.0)
    ways = {each.label: list(EXECUTIONS).index(each.execution) for each in candidates if each.label in medians}
    close = [label for label in medians if medians[label] <= CLOSE * least]
    level = {label for label in close if medians[label] <= LEVEL * least}
    close.sort(key=lambda label: (label not in level, ways[label] if label in level else 0, medians[label]))
    return close[:most]
