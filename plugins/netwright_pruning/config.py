"""Settings of the pruning plugin."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from netwright.config import Config
from netwright.harness import TimingConfig
from netwright_pruning.budget import Budget, parse_amount

if TYPE_CHECKING:
    from netwright_pruning.experiment import load_config as load_config

Criterion = Literal["l1", "l2", "taylor"]


class BudgetConfig(Config):
    """How much of the model remains: exactly one of these.

    A bare number between 0 and 1 is the fraction that remains; an absolute budget has a unit: 25k, 500M, 1.8G.
    """

    macs: float | str | None = None
    """Multiply-accumulate operations of one forward of the case's inputs."""
    parameters: float | str | None = None
    """Elements of all parameters."""

    @field_validator("macs", "parameters", mode="before")
    @classmethod
    def _amount(cls, value: object) -> object:
        if value is not None:
            parse_amount(value)
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> "BudgetConfig":
        if (self.macs is None) == (self.parameters is None):
            raise ValueError("a budget names one of macs and parameters; the other is null")
        return self

    def budget(self) -> Budget:
        """The budget that was asked for."""
        if self.macs is not None:
            return Budget("macs", parse_amount(self.macs))
        return Budget("parameters", parse_amount(self.parameters))


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
    """How much remains, e.g. {macs: 0.3} or {parameters: 25k}; null is {macs: 0.5}."""
    tolerance: float = Field(default=0.01, gt=0, lt=1)
    """How far from the budget is near enough, relative to it, on both sides."""
    round_to: int = Field(default=8, ge=1)
    """Layer widths are multiples of it, as hardware likes them; 1 rounds nothing and hits any budget closer."""
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
    timing: TimingConfig = TimingConfig()
    """How latency is measured."""

    @property
    def target(self) -> Budget:
        """The budget that was asked for, or the default one."""
        return (self.budget or DEFAULT_BUDGET).budget()


class IsomorphicOptions(Config):
    """Options of the baseline `isomorphic`."""

    criterion: Criterion = "taylor"
    """What scores the channels within each set of isomorphic groups."""


def __getattr__(name: str) -> object:
    """`load_config` lives with the settings of the Python API, which build on these."""
    if name == "load_config":
        from netwright_pruning.experiment import load_config

        return load_config
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
