"""The state of a fusion run: what its nodes hand on, and what a resumed run goes on with."""

from pydantic import BaseModel

from netwright_fusion.metrics import KernelRecord, OpShare, RuleRecord, VariantRecord
from netwright_fusion.plan import Plan, PlanStep
from netwright_fusion.portfolio import Candidate, Figures
from netwright_fusion.trial import TrialRow


class FusionState(BaseModel):
    """Everything that is decided, found and measured so far; files lie in the run folder."""

    case: str
    seed: int
    round: int = 0
    """How often the plan was carried out."""
    not_captured: str | None = None
    before: Figures | None = None
    flops_per_s: float = 0.0
    bytes_per_s: float = 0.0
    profile_before: list[OpShare] = []
    profile_after: list[OpShare] = []
    proposals: list[PlanStep] = []
    plan: Plan | None = None
    approved: bool = False
    dropped: dict[str, str] = {}
    """Steps, by key, that turned out wrong, and how."""
    without: list[str] = []
    """Those that the last round left out."""
    rejected: dict[str, str] = {}
    """Candidates, by label, that failed a check of the harness, and which."""
    candidates: list[Candidate] = []
    trial: list[TrialRow] = []
    finalists: list[str] = []
    rules: list[RuleRecord] = []
    kernels: list[KernelRecord] = []
    variants: list[VariantRecord] = []
    best: str | None = None
    fastest_baseline: str | None = None
    speedup: float | None = None
    degenerate: str | None = None
    retry: bool = False
    """Whether something failed that another round may do otherwise."""
    boxes: list[str] = []
    module: str | None = None
    """The delivered file, relative to the run folder."""
