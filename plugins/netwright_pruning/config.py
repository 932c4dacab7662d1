"""Settings of the pruning plugin."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from netwright.config import Config
from netwright.harness import TimingConfig
from netwright_pruning.allocation import Allocation
from netwright_pruning.budget import Budget, parse_amount, parse_latency
from netwright_pruning.heads import Heads

if TYPE_CHECKING:
    from netwright_pruning.experiment import load_config as load_config

Criterion = Literal["l1", "l2", "taylor"]
Reduction = Literal["mean", "max", "sum", "prod", "first"]

Export = Literal["onnx", "torch_export"]


class BudgetConfig(Config):
    """How much of the model remains; of several budgets, all hold.

    A bare number between 0 and 1 is the fraction that remains; an absolute budget has a unit: 25k, 500M, 1.8G, 12ms.
    """

    macs: float | str | None = None
    """Multiply-accumulate operations of one forward of the case's inputs."""
    parameters: float | str | None = None
    """Elements of all parameters."""
    latency: float | str | None = None
    """Latency of one forward on the machine at hand, measured beside the unpruned model's."""

    @field_validator("macs", "parameters", mode="before")
    @classmethod
    def _amount(cls, value: object) -> object:
        if value is not None:
            parse_amount(value)
        return value

    @field_validator("latency", mode="before")
    @classmethod
    def _time(cls, value: object) -> object:
        if value is not None:
            parse_latency(value)
        return value

    @model_validator(mode="after")
    def _at_least_one(self) -> "BudgetConfig":
        if self.macs is None and self.parameters is None and self.latency is None:
            raise ValueError("a budget names macs, parameters or latency, or several of them")
        return self

    def budgets(self) -> tuple[Budget, ...]:
        """The budgets that were asked for."""
        found = []
        if self.macs is not None:
            found.append(Budget("macs", parse_amount(self.macs)))
        if self.parameters is not None:
            found.append(Budget("parameters", parse_amount(self.parameters)))
        if self.latency is not None:
            found.append(parse_latency(self.latency))
        return tuple(found)


DEFAULT_BUDGET = BudgetConfig(macs=0.5)


class CalibrationConfig(Config):
    """Training samples that are looked at without training: for gradients, and to re-estimate batch normalisation."""

    batches: int = Field(default=16, ge=1)
    """How many, at most."""
    batch_size: int = Field(default=64, ge=2)
    """Samples per batch."""


class PrunerConfig(Config):
    """Settings of the agent `pruner`."""

    budget: BudgetConfig | None = None
    """How much remains, e.g. {macs: 0.3}, {parameters: 25k} or {latency: 12ms}; of several, all hold; null is
    {macs: 0.5}."""
    tolerance: float = Field(default=0.01, gt=0, lt=1)
    """How far from the budget is near enough, relative to it, on both sides."""
    round_to: int | None = Field(default=None, ge=1)
    """Layer widths are multiples of it; null is 16, and 8 in layers of fewer than 64 channels, as processors like them;
    1 rounds nothing and hits any budget closer."""
    shares: dict[str, float] | None = None
    """How hard layers are cut, by parts of their names, e.g. {attn: 0.5, mlp: 2}: where others keep a fraction k, a
    layer with share s keeps k to the power of s; 0 leaves it whole."""
    limits: dict[str, float] | None = None
    """The largest fraction of its channels that a layer may lose, likewise, e.g. {stem: 0.25}."""
    heads: Heads = "whole"
    """What goes from attention: whole heads, or the same dimensions of every head."""
    export: list[Export] = []
    """Programs to write beside each pruned model: onnx, torch_export."""
    calibration: CalibrationConfig = CalibrationConfig()
    """Samples for gradients and batch normalisation."""
    checkpoint: Path | None = None
    """A state dict to start from (.safetensors, .pt, .pth); null draws the weights by the seed, or trains them."""
    data: dict[str, Any] | None = None
    """The dataset to train and judge on, e.g. {name: image_folder, root: photos}; null takes the case's own."""
    train: dict[str, Any] | None = None
    """Changes to the case's own training recipe, e.g. {epochs: 10}."""
    fine_tune: dict[str, Any] | None = None
    """The recipe of the fine-tuning, as changes to the training's; null trains a
    fifth of its epochs at a third of its learning rate."""
    measure_latency: bool = True
    """Whether to time the unpruned and the pruned models in the end; a budget of latency is measured all the same."""
    timing: TimingConfig = TimingConfig()
    """How latency is measured."""

    @field_validator("shares", "limits")
    @classmethod
    def _not_negative(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        if value and min(value.values()) < 0:
            raise ValueError("a share or a limit is at least 0")
        return value

    @property
    def targets(self) -> tuple[Budget, ...]:
        """The budgets that were asked for, or the default one."""
        return (self.budget or DEFAULT_BUDGET).budgets()

    @property
    def allocation(self) -> Allocation:
        """How the cutting is shared out among the layers."""
        return Allocation(self.shares or {}, self.limits or {})


class GroupOptions(Config):
    """Options of baselines that score all layers of a group."""

    reduction: Reduction = "mean"
    """How the scores of a group's layers become one."""


class IsomorphicOptions(Config):
    """Options of the baseline `isomorphic`."""

    criterion: str = "taylor"
    """What scores the channels within each set of isomorphic groups: l1, l2, or the name of any pruning baseline."""


def __getattr__(name: str) -> object:
    """`load_config` lives with the settings of the Python API, which build on these."""
    if name == "load_config":
        from netwright_pruning.experiment import load_config

        return load_config
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
