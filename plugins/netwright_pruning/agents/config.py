"""Settings of the pruning agents and of the baseline that runs them in a loop."""

from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from netwright.config import Config
from netwright_training.config import DistillationConfig

Allocating = Literal["global", "isomorphic", "sensitivity", "sensitivity_strong", "even"]
"""In the order in which they are tried: what knows nothing of the layers comes last."""
ALLOCATIONS: dict[str, str] = {
    "global": "all channels of the model are ranked together",
    "isomorphic": "channels are ranked among layers of equal structure",
    "sensitivity": "layers whose loss rises little when they alone are cut lose more",
    "sensitivity_strong": "the same, twice as pronounced",
    "even": "every layer loses the same share",
}
CRITERIA = ("taylor", "hessian", "magnitude_l2", "magnitude_l1")


class SafetyLimits(Config):
    """The largest shares that may go, whatever anybody proposes; null sets no limit beyond what the model needs."""

    max_overall_pruning: float | None = Field(default=None, ge=0, le=1)
    """Of all parameters."""
    max_macs_pruning: float | None = Field(default=None, ge=0, le=1)
    """Of all MACs."""
    max_layer_pruning: float | None = Field(default=0.95, ge=0, le=1)
    """Of any layer's channels."""
    max_mlp_pruning: float | None = Field(default=None, ge=0, le=1)
    """Of channels inside MLP blocks."""
    max_attention_pruning: float | None = Field(default=None, ge=0, le=1)
    """Of attention heads."""
    max_convolution_pruning: float | None = Field(default=None, ge=0, le=1)
    """Of convolutions' channels."""
    max_residual_pruning: float | None = Field(default=None, ge=0, le=1)
    """Of channels that several layers produce together."""


class ProfilingConfig(Config):
    """Settings of `ProfilingAgent`."""

    enable_caching: bool = True
    """Whether to keep profiles on disk, and read those of equal models."""
    cache_duration: float = Field(default=3600.0, ge=0)
    """Seconds for which a kept profile is read."""
    cache_dir: Path | None = None
    """Where they lie; null is netwright's cache."""
    round_to: int | None = Field(default=None, ge=1)
    """Widths are multiples of it; null is what suits processors."""
    safety_limits: SafetyLimits = SafetyLimits()
    """How much may go at most."""


class MasterConfig(Config):
    """Settings of `MasterAgent`."""

    max_iterations: int = Field(default=8, ge=1)
    """How many strategies to try at most before one is trained."""
    convergence_threshold: float = Field(default=0.005, ge=0)
    """By how much two strategies in a row have to improve on the best accuracy, or lower its loss in proportion, for
    the search to go on once every criterion was tried."""
    criteria: tuple[str, ...] = CRITERIA
    """The registered baselines whose importance is compared."""
    allocations: tuple[Allocating, ...] = get_args(Allocating)
    """The ways of sharing out that are compared."""

    @field_validator("criteria", "allocations")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one")
        return value


class AnalysisConfig(Config):
    """Settings of `AnalysisAgent`."""

    safety_enforcement: Literal["strict", "clip"] = "strict"
    """What becomes of a ratio past a layer's limit: strict refuses the proposal (the rule's takes its place), clip
    lowers it to the limit and says so."""
    probe: float = Field(default=0.5, gt=0, lt=1)
    """The share of a layer that is cut to measure how sensitive it is."""


class PruningConfig(Config):
    """Settings of `PruningAgent`."""

    backend: Literal["torch_pruning"] = "torch_pruning"
    """Whose importance estimators score the channels."""
    global_pruning: bool = True
    """Whether layers are compared at all; false takes the same share of each unless a strategy says otherwise."""
    tolerance: float = Field(default=0.01, gt=0, lt=1)
    """How far from the target is near enough, relative to what remains."""
    round_to: int | None = Field(default=None, ge=1)
    """Widths are multiples of it; null is what suits processors."""
    memory_efficient: bool = False
    """Whether to take gradients for importance in small pieces, which needs less memory and more time."""
    batch_processing: bool = True
    """Whether calibration samples are looked at batch by batch; false takes all at once."""
    gradient_checkpointing: bool = False
    """Whether those gradients' activations are computed again rather than kept, block by block."""


class RecoveryConfig(Config):
    """How a pruned model is brought back."""

    reconstruct: bool = True
    """Whether each layer is refitted to the outputs of the whole one before any training."""
    learning_rate_factor: float = Field(default=1.0, gt=0)
    """What the recipe's learning rate is multiplied by."""
    distillation: DistillationConfig | None = None
    """What fine-tuning learns from the unpruned model beside the targets; null learns from the targets alone."""
    average_decay: float | None = Field(default=None, gt=0, lt=1)
    """Decay of the moving average of the weights; null averages nothing."""


class FineTuningConfig(RecoveryConfig):
    """Settings of `FineTuningAgent`."""

    optimizer: Literal["adamw", "sgd", "adam"] | None = None
    """Null takes the recipe's own; so do the others."""
    scheduler: Literal["none", "cosine", "step", "exponential", "plateau", "one_cycle"] | None = None
    learning_rate: float | None = Field(default=None, gt=0)
    weight_decay: float | None = Field(default=None, ge=0)
    batch_size: int | None = Field(default=None, ge=1)
    epochs: int | None = Field(default=None, ge=0)
    recipe: dict[str, Any] = {}
    """Further settings of the training plugin's recipe."""


class EvaluationConfig(Config):
    """Settings of `EvaluationAgent`."""

    comprehensive_metrics: bool = False
    """Whether to compute top-5 accuracy and macro F1 as well."""
    custom_metrics: tuple[str, ...] = ()
    """Metrics that `netwright_pruning.utils.metrics.register_metric` registered."""


class MultiAgentOptions(MasterConfig):
    """Options of the baseline `multi_agent`."""

    rounds: int = Field(default=1, ge=1)
    """Over how many rounds of pruning and training the budget is reached; the epochs are shared out among them."""
    held: int = Field(default=512, ge=1)
    """Samples of the training split that strategies are compared on, at most."""
    safety_enforcement: Literal["strict", "clip"] = "strict"
    """What becomes of a proposed ratio past a layer's limit."""
    safety_limits: SafetyLimits = SafetyLimits()
    """How much may go at most."""
    recovery: RecoveryConfig = RecoveryConfig(
        learning_rate_factor=3.0, distillation=DistillationConfig(weight=0.9, temperature=4.0)
    )
    """How pruned models are brought back."""
