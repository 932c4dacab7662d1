"""The typed metrics of the pruner: what its `result.json` holds under `metrics`."""

from netwright.result import Record
from netwright_pruning.agents.records import AttemptRecord
from netwright_pruning.equality import Equality
from netwright_pruning.export import ExportRecord
from netwright_pruning.outcome import BudgetOutcome
from netwright_pruning.search import Attempt
from netwright_training import EpochRecord


class Figures(Record):
    """What a model is worth and what it costs."""

    parameters: int
    macs: int
    """Of one forward of the case's inputs."""
    latency_ms: float | None = None
    """Median over the harness's rounds."""
    latency_ci_ms: tuple[float, float] | None = None
    accuracy: float | None = None
    """Top-1 on the test split."""
    mse: float | None = None
    """Mean squared error on the test split, for regression."""
    not_measured: dict[str, str] = {}
    """Why a figure is missing."""


class Stages(Record):
    """The score on the test split at each stage of a method: top-1 accuracy, or the mean squared error."""

    pruned: float | None = None
    """Right after pruning."""
    recalibrated: float | None = None
    """After the re-estimation of batch normalisation."""
    fine_tuned: float | None = None
    """After fine-tuning."""


class Validation(Record):
    """A model on the validation split, which decides between methods; the test split decides nothing."""

    score: float
    """Top-1 accuracy, or the mean squared error."""
    loss: float


class UntouchedGroup(Record):
    """A group of channels that the model does not work without, and that was left whole."""

    group: str
    module: str
    """The module at fault."""
    reason: str


class MethodReport(Record):
    """One baseline."""

    label: str
    stages: Stages
    after: Figures
    """The model that the method ends with."""
    validation: Validation | None = None
    """The same model on the validation split."""
    speedup: float | None = None
    """Latency of the unpruned model over this one's, from interleaved runs."""
    speedup_ci: tuple[float, float] | None = None
    budget: BudgetOutcome
    widths: dict[str, tuple[int, int]]
    """Per layer that lost output channels, how many it had and has."""
    untouched: list[UntouchedGroup] = []
    equality: Equality | None = None
    """How the pruned structure compares with the unpruned one whose pruned channels are zeroed."""
    history: list[EpochRecord] = []
    """The epochs of the fine-tuning."""
    exports: list[ExportRecord] = []
    """The programs that were asked for beside the model."""
    seconds: float
    """Wall time without the latency's measurement."""
    iterations: int | None = None
    """Rounds that a method took which works in rounds."""
    loop: list[AttemptRecord] = []
    """What it tried in them."""


class PrunerMetrics(Record):
    """The metrics of one job; of several methods, `after`, `budget` and `attempts` are the best one's."""

    score: str | None
    """What the stages hold: "accuracy" or "mse"; None without data."""
    best: str
    """The method that is best on the validation split in the end; the first one without data."""
    before: Figures
    after: Figures
    budget: BudgetOutcome
    attempts: list[Attempt]
    methods: list[MethodReport]
    training: list[EpochRecord] = []
    """The epochs of the training before pruning."""
