"""Settings of the training plugin: what to train on and how."""

from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from netwright.config import Config
from netwright.errors import nearest

Task = Literal["classification", "regression"]
OptimizerName = Literal["adamw", "sgd", "adam"]
SchedulerName = Literal["none", "cosine", "step", "exponential", "plateau", "one_cycle"]
LossName = Literal["auto", "cross_entropy", "mse", "l1"]
Precision = Literal["off", "bf16", "fp16"]


def _choose(value: object, choices: Any) -> object:
    """A name in lower case, when it is among the choices of a `Literal`; what is no text is left to pydantic.

    Raises:
        ValueError: It is not; the message shows the nearest choice and all of them.
    """
    if not isinstance(value, str):
        return value
    names = get_args(choices)
    if value.lower() in names:
        return value.lower()
    guess = nearest(value.lower(), names)
    hint = f"did you mean '{guess}'? " if guess else ""
    raise ValueError(f"{hint}known: {', '.join(names)}")


class DatasetConfig(Config):
    """A dataset and how to split it; a setting that the chosen dataset does not read is refused."""

    name: str = "digits"
    """The dataset's registered name."""
    root: Path | None = None
    """Where the data lies: a folder, or the file itself for csv; for mnist and cifar10 null is netwright's cache."""
    download: bool = False
    """Whether to download what is not under `root`."""
    validation_fraction: float = Field(default=0.1, gt=0, lt=1)
    """Share of the samples held out to choose the best weights, where the data does not come with such a split.
    Where test data is given separately, a share of the rest."""
    test_fraction: float = Field(default=0.2, gt=0, lt=1)
    """Share of all samples held out for the final figures, where the data does not come with a test split."""
    limit: int | None = Field(default=None, ge=1)
    """Keep at most so many samples of each split, drawn by the seed; null keeps all."""
    image_size: int = Field(default=224, ge=1)
    """Height and width in pixels to which image files are brought."""
    target: str | None = None
    """Name of the column that holds the targets of a table; null takes the last."""
    features: tuple[str, ...] | None = None
    """Names of a table's columns to learn from; null takes all but the target."""
    task: Task | None = None
    """What to predict; null decides by the targets of a table, and is classification for random data."""
    samples: int = Field(default=512, ge=4)
    """Number of samples of random data, all splits together."""
    input_shape: tuple[int, ...] = (3, 32, 32)
    """Shape of one sample of random data."""
    num_classes: int = Field(default=10, ge=2)
    """Number of classes of random data."""
    options: dict[str, Any] = {}
    """Further settings of a dataset that another plugin brings."""

    @field_validator("root")
    @classmethod
    def _home_expanded(cls, root: Path | None) -> Path | None:
        return root and root.expanduser()


class OptimizerConfig(Config):
    """The optimizer."""

    name: OptimizerName = "adamw"
    """Which algorithm."""
    lr: float = Field(default=1e-3, gt=0)
    """Learning rate at its height."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled for adamw, an L2 penalty for sgd and adam."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of sgd."""
    nesterov: bool = False
    """Whether sgd looks ahead."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay rates of the moments of adamw and adam."""

    @field_validator("name", mode="before")
    @classmethod
    def _known_name(cls, value: object) -> object:
        return _choose(value, OptimizerName)


class SchedulerConfig(Config):
    """How the learning rate moves."""

    name: SchedulerName = "cosine"
    """Its course after the warm-up."""
    warmup_epochs: float = Field(default=0, ge=0)
    """Epochs over which it first rises linearly; fractions are allowed. Not with one_cycle, which has its own rise."""
    final_fraction: float = Field(default=0.0, ge=0, le=1)
    """What remains of the learning rate at the end of cosine, and at least under plateau."""
    every: int = Field(default=30, ge=1)
    """Epochs between two steps of step."""
    factor: float = Field(default=0.1, gt=0, lt=1)
    """What step and plateau multiply the learning rate by."""
    decay: float = Field(default=0.95, gt=0, le=1)
    """What exponential multiplies the learning rate by in each epoch."""
    patience: int = Field(default=5, ge=0)
    """Epochs without improvement of `best_by` that plateau waits for."""

    @field_validator("name", mode="before")
    @classmethod
    def _known_name(cls, value: object) -> object:
        return _choose(value, SchedulerName)

    @model_validator(mode="after")
    def _one_rise(self) -> Self:
        if self.name == "one_cycle" and self.warmup_epochs:
            raise ValueError("one_cycle has a rise of its own: leave warmup_epochs out")
        return self


class EarlyStoppingConfig(Config):
    """When to stop before the last epoch."""

    metric: str | None = None
    """What to watch on the validation split: "loss" or one of `metrics`; null takes `best_by`."""
    mode: Literal["min", "max"] | None = None
    """Whether lower or higher is better; null takes the metric's registered direction."""
    patience: int = Field(default=10, ge=1)
    """Epochs without improvement before training stops."""
    min_delta: float = Field(default=0.0, ge=0)
    """How much better counts as an improvement."""


class DistillationConfig(Config):
    """What to learn from a teacher, such as the unpruned model."""

    weight: float = Field(default=0.5, ge=0, le=1)
    """Share of the loss that comes from the teacher's outputs; the rest comes from the targets."""
    temperature: float = Field(default=2.0, gt=0)
    """What the logits are divided by before they are compared; higher shows more of the unlikely classes."""
    features: float = Field(default=0.0, ge=0)
    """Weight of the features' part of the loss: which samples of a batch look alike to the teacher."""
    layers: tuple[str, ...] | None = None
    """Modules whose outputs are such features; null takes the model's parts but the last."""


class TrainConfig(Config):
    """A training recipe."""

    epochs: int = Field(default=20, ge=0)
    """Passes over the training split, at most."""
    batch_size: int = Field(default=64, ge=1)
    """Samples per step; a last batch of a single sample is left out, as batch normalisation cannot train on it."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """The optimizer."""
    scheduler: SchedulerConfig = SchedulerConfig()
    """The course of the learning rate."""
    loss: LossName = "auto"
    """What to minimise; auto takes cross-entropy for classes and the mean squared error for numbers."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target's probability that is spread over all classes; cross-entropy only, training only."""
    gradient_clip: float | None = Field(default=None, gt=0)
    """Largest L2 norm of all gradients together; null does not clip."""
    distillation: DistillationConfig | None = None
    """What to learn from a teacher; only where the training is given one. Null learns from the targets alone."""
    average_decay: float | None = Field(default=None, gt=0, lt=1)
    """Decay of an exponential moving average of the weights, per step; validation, best and final weights are then the
    averaged ones. Null averages nothing."""
    amp: Precision = "off"
    """Automatic mixed precision of training steps; on CUDA only, elsewhere a warning says that full precision is used.
    Validation always runs in full precision."""
    gradient_checkpointing: bool = False
    """Whether to compute activations inside repeated blocks again for the backward rather than keep them: less memory,
    a third more time, the same weights to the bit."""
    early_stopping: EarlyStoppingConfig | None = None
    """When to stop early; null never does."""
    metrics: tuple[str, ...] | None = None
    """Registered metrics to compute on the validation split after each epoch; null takes accuracy for classes
    and mse for numbers."""
    best_by: str = "loss"
    """What decides on the validation split which epoch's weights are best: "loss" or one of `metrics`."""
    workers: int = Field(default=0, ge=0)
    """Processes that load data which is not in memory."""
    checkpoint_every: int = Field(default=1, ge=1)
    """Epochs between two writes of the last checkpoint; the best one is written whenever it changes."""
    max_skipped_steps: int = Field(default=20, ge=1)
    """Steps in a row with a loss or gradient that is not finite before training is given up."""
    device: str = "auto"
    """Where to train: "cpu", "cuda", "cuda:1"; "auto" takes CUDA where there is one."""

    @field_validator("loss", mode="before")
    @classmethod
    def _known_loss(cls, value: object) -> object:
        return _choose(value, LossName)

    @field_validator("amp", mode="before")
    @classmethod
    def _known_precision(cls, value: object) -> object:
        # YAML reads an unquoted off as false.
        return "off" if value is False else _choose(value, Precision)
