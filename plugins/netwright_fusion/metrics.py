"""The typed metrics of the fusion agent: what its `result.json` holds under `metrics`."""

from typing import Literal

from netwright.result import Record

VariantKind = Literal["baseline", "rewritten", "triton", "written"]
Outcome = Literal["faster", "nothing to win", "degenerate", "nothing verified"]


class VariantRecord(Record):
    """One way of computing the case: a baseline, or a candidate that was made for it."""

    label: str
    kind: VariantKind
    """"written" is a module that a language model wrote."""
    verified: bool
    """Whether the harness held it against the float64 oracle and no check failed."""
    latency_ms: float | None = None
    """Median over the harness's rounds, interleaved with all others that have one; of one that only took part in the
    trial, see `trial_ms`."""
    latency_ci: tuple[float, float] | None = None
    speedup_vs_eager: float | None = None
    speedup_vs_best_baseline: float | None = None
    speedup_ci: tuple[float, float] | None = None
    """95 % interval of the speed-up over the fastest baseline."""
    not_timed: str | None = None
    """Why there is no latency."""
    trial_ms: float | None = None
    """Median of the quick trial that chose the finalists; its times are compared with each other only."""
    execution: str = ""
    module: str = ""
    """Its file, relative to the run folder."""
    failed: list[str] = []
    """Failed checks with their reasons."""


class RuleRecord(Record):
    """One application of a rewrite rule."""

    rule: str
    site: str
    reason: str
    conditions: str
    measured: bool
    flops_removed: int
    bytes_removed: int
    used: bool
    """Whether the module that is handed back contains it."""
    dropped: str = ""
    """Why it was taken out again."""


class KernelRecord(Record):
    """One generated Triton kernel."""

    name: str
    family: str
    site: str
    bytes_removed: int
    flops_removed: int
    verified: bool
    used: bool
    """Whether the module that is handed back contains it."""
    not_timed: str | None = None
    dropped: str = ""


class OpShare(Record):
    """One operator of a profile."""

    name: str
    calls: int
    """Per call of the case."""
    self_ms: float
    """Per call of the case."""
    share: float
    """Of the time of all operators, between 0 and 1."""


class FusionMetrics(Record):
    """The metrics of one run."""

    outcome: Outcome
    best: str
    """The label of the variant that `optimized.py` is."""
    fastest_baseline: str | None
    speedup: float | None
    """Of `best` over the fastest baseline; None where that may not be claimed."""
    variants: list[VariantRecord]
    rules: list[RuleRecord]
    kernels: list[KernelRecord]
    degenerate: str | None
    """What would pass for an output without computing anything; no speed-up is claimed then."""
    not_captured: str | None = None
    """Why the case is no graph, with file, line and operator."""
    flops_before: int | None = None
    flops_after: int | None = None
    bytes_before: int | None = None
    bytes_after: int | None = None
    """Of the captured graph and of what is handed over, per call."""
    boxes: list[str] = []
    """Time boxes that were hit."""
    profile_before: list[OpShare] = []
    profile_after: list[OpShare] = []
    rounds: int = 1
    """How often the plan was carried out."""
