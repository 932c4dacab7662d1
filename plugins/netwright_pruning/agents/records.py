"""What the agents hand each other: profile, strategy, parameters and attempts, read by attribute or by key."""

from typing import Any, Literal

from netwright_pruning.record import SubscriptableRecord

Architecture = Literal["convolutional", "transformer", "hybrid", "recurrent", "mlp"]
LayerKind = Literal["attention", "mlp", "convolution", "residual", "embedding", "linear"]
Step = Literal["explore", "commit", "stop"]
"""What the master does next: try a strategy without training, train the best one, or end."""


class PrunableLayer(SubscriptableRecord):
    """Channels that can only go together, named after the layer that produces them."""

    name: str
    kind: LayerKind
    units: int
    """How many times something can be removed."""
    channels: int
    """Of the layer; `channels / units` of them go at once."""
    coupled: list[str]
    """The other layers that lose the same channels."""
    limit: float
    """The largest share of its units that may go."""


class ModelProfile(SubscriptableRecord):
    """What the profiling agent found out about a model."""

    model_name: str
    dataset: str
    architecture_type: Architecture
    parameters: int
    macs: int
    """Of one forward of the inputs that it was profiled with."""
    prunable_layers: list[PrunableLayer]
    safety_limits: dict[str, float]
    """The largest shares that may go: `max_overall_pruning` of the parameters, `max_macs_pruning` of the MACs,
    `max_layer_pruning` of any layer, and `max_<kind>_pruning` of layers of a kind where such a limit was given."""
    coupling: list[str]
    """What goes together and what stays, one sentence each."""
    sensitive_layers: list[str] = []
    """Layers that were judged delicate by their place."""

    @property
    def layers(self) -> dict[str, PrunableLayer]:
        """The prunable layers by name."""
        return {layer.name: layer for layer in self.prunable_layers}

    def limit_of(self, metric: str) -> float:
        """The largest share of "parameters" or "macs" that may go."""
        return self.safety_limits["max_overall_pruning" if metric == "parameters" else "max_macs_pruning"]


class PruningStrategy(SubscriptableRecord):
    """What the master wants done."""

    pruning_ratio: float
    """The share of the metric that is to go."""
    importance_criterion: str
    """The registered baseline that scores the channels."""
    allocation: str
    """How the cutting is shared out among the layers."""
    step: Step = "explore"
    epochs: int = 0
    """Of fine-tuning."""
    reasons: list[str] = []


class LayerParameters(SubscriptableRecord):
    """What the analysis agent made of a strategy."""

    ratios: dict[str, float] = {}
    """Per layer, the share of its units that is to go, before all are scaled to the budget; none where the scores
    alone decide between layers."""
    limits: dict[str, float] = {}
    """Per layer, the largest share that may go."""
    isomorphic: bool = False
    """Whether only layers of equal structure are ranked against each other."""


class ProxyScore(SubscriptableRecord):
    """A model on a held slice of the training split: cheap, and apart from validation and test."""

    score: float | None = None
    """Top-1 accuracy; None for a regression, or without data."""
    loss: float
    """The mean loss; without data, the outputs' relative squared distance from the unpruned model's."""


class AttemptRecord(SubscriptableRecord):
    """One round of the loop."""

    number: int = 0
    step: Step = "explore"
    criterion: str = ""
    allocation: str = ""
    pruning_ratio: float = 0.0
    """What was asked for."""
    achieved_ratio: float | None = None
    """The share of the metric that went."""
    final: bool = True
    """Whether it aims at the budget, and not at a station on the way or beside it."""
    within: bool = True
    """Whether what it aims at was hit."""
    epochs: int = 0
    proxy: ProxyScore | None = None
    """On the held slice."""
    validation_score: float | None = None
    validation_error: float | None = None
    """The standard error of that accuracy."""
    validation_loss: float | None = None
    """On the validation split."""
    widths: dict[str, tuple[int, int]] = {}
    failure: str = ""
    """Why there is no model; "" where there is one."""
    seconds: float = 0.0

    @property
    def worked(self) -> bool:
        """Whether there is a model."""
        return not self.failure and self.proxy is not None

    @property
    def facts(self) -> dict[str, Any]:
        """What decisions rest on: nothing that differs from run to run."""
        return self.model_dump(mode="json", exclude={"seconds", "widths"}, exclude_none=True)


def quality(proxy: ProxyScore) -> tuple[float, float]:
    """For comparisons, higher is better: the accuracy in whole percents, then the loss."""
    return (round(proxy.score, 2) if proxy.score is not None else 0.0, -proxy.loss)


def best_explored(attempts: list[AttemptRecord]) -> AttemptRecord | None:
    """The attempt without training whose model is best on the held slice; the earliest of equal ones."""
    explored = [(attempt, attempt.proxy) for attempt in attempts if attempt.step == "explore" and attempt.final]
    ranked = [((attempt.within, quality(proxy)), attempt) for attempt, proxy in explored if proxy and attempt.worked]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def best_of_all(attempts: list[AttemptRecord]) -> AttemptRecord | None:
    """The attempt to hand back: the last one that was trained for the budget, unless that made it worse.

    Worse is an accuracy on the validation split that is more than one standard error below that of the best untrained
    model, or, for a regression, a higher loss. A model within the budget always comes before one beside it.
    """
    untrained = best_explored(attempts)
    trained = [attempt for attempt in attempts if attempt.worked and attempt.final and attempt.step == "commit"]
    if not trained or untrained is None:
        return trained[-1] if trained else untrained
    if trained[-1].within != untrained.within:
        return trained[-1] if trained[-1].within else untrained
    return untrained if _is_worse(trained[-1], untrained) else trained[-1]


def _is_worse(trained: AttemptRecord, untrained: AttemptRecord) -> bool:
    """Whether a training made a model worse, beyond chance."""
    if trained.proxy is not None and trained.proxy.score is None:
        return (trained.validation_loss or 0.0) > (untrained.validation_loss or 0.0)
    fell = (untrained.validation_score or 0.0) - (trained.validation_score or 0.0)
    return fell > (untrained.validation_error or 0.0)
