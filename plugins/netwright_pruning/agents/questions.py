"""What the agents ask: which step, which strategy, how to share out; answered by rule or by a language model."""

import math

from pydantic import Field

from netwright.decisions import Choice, ChoiceQuestion, Decision, Question
from netwright.errors import nearest
from netwright.result import Record
from netwright_pruning.agents.records import AttemptRecord, best_explored, quality

STEPS = {
    "explore": "try another strategy: prune and refit without training, and judge on the held slice",
    "commit": "prune with the best strategy and spend the epochs of fine-tuning on it",
    "stop": "end with the best model so far",
}
PATIENCE = 2
"""Strategies in a row that may bring nothing."""


class NextStep(ChoiceQuestion):
    """What to do next in the search for a pruned model.

    Exploring is cheap and training is not: there are only so many epochs, and they are not given back. Committing needs
    an attempt that worked.
    """

    attempts: list[AttemptRecord]
    untried: int
    """Strategies that have not been tried."""
    untried_criteria: int
    """Criteria that have not been tried in any way."""
    iterations_left: int
    epochs_left: int
    threshold: float
    """By how much an attempt has to improve on those before it."""

    def rule(self) -> Choice:
        """Explore while that pays, then commit, then stop."""
        best = best_explored(self.attempts)
        if self.untried and self.iterations_left and not self._converged():
            return Choice(choice="explore", reasons=[f"{self.untried} strategies are untried and it still pays"])
        if best is not None and self.epochs_left:
            why = f"attempt {best.number} ({best.criterion}, {best.allocation}) is best on the held slice"
            return Choice(choice="commit", reasons=[why])
        return Choice(choice="stop", reasons=["no epochs are left" if best else "no strategy worked"])

    def check(self, decision: Choice) -> None:
        """The choice must be possible."""
        super().check(decision)
        if decision.choice == "explore" and not (self.untried and self.iterations_left):
            raise ValueError("nothing is left to explore: commit or stop")
        if decision.choice == "commit" and not (self.epochs_left and best_explored(self.attempts)):
            raise ValueError("committing needs epochs and an attempt that worked")

    def _converged(self) -> bool:
        """Whether the last attempts brought less than the threshold, once every criterion had its turn."""
        explored = [attempt for attempt in self.attempts if attempt.step == "explore"]
        criteria = [attempt.criterion for attempt in explored]
        last_new = max((criteria.index(criterion) for criterion in criteria), default=0)
        worked = [attempt.proxy for attempt in explored if attempt.proxy]
        if self.untried_criteria or len(explored) - last_new - 1 < PATIENCE or len(worked) <= PATIENCE:
            return False
        before = max(worked[:-PATIENCE], key=quality)
        last = max(worked[-PATIENCE:], key=quality)
        gained = (last.score or 0.0) - (before.score or 0.0)
        lowered = (before.loss - last.loss) / before.loss if before.loss > 0 else 0.0
        return gained < self.threshold and lowered < self.threshold


class StrategyDecision(Decision):
    """A way of pruning."""

    importance_criterion: str
    """What scores the channels."""
    allocation: str
    """How the cutting is shared out among the layers."""
    pruning_ratio: float = Field(ge=0, le=1)
    """The share of the metric that is to go."""
    confidence: float = Field(ge=0, le=1)
    """How sure this is the best choice, from 0 to 1."""


class NextStrategy(Question[StrategyDecision]):
    """Which way of pruning to try next.

    A strategy is a criterion that scores channels and an allocation that compares layers. Its pruning ratio is the
    share of the metric that goes, and may not exceed the safety limit; what falls short of the target ratio misses the
    budget. Attempts so far show what each was worth on a held slice of the training data, after refitting, without
    training.
    """

    architecture: str
    metric: str
    """What the ratio is a share of: parameters or macs."""
    target_ratio: float
    max_ratio: float
    """The safety limit."""
    criteria: list[str]
    allocations: dict[str, str]
    """By name, what each means."""
    attempts: list[AttemptRecord]
    step: str
    """"explore" wants a strategy that has not been tried, "commit" the best one."""

    def untried(self) -> list[tuple[str, str]]:
        """Strategies that have not been tried, criteria first: then allocations with the best criterion so far."""
        tried = self.tried()
        names = list(self.allocations)
        best = best_explored(self.attempts)
        ahead = [best.criterion] if best and best.criterion in self.criteria else []
        ordered = [(criterion, names[0]) for criterion in self.criteria]
        for criterion in [*ahead, *self.criteria]:
            ordered += [(criterion, allocation) for allocation in names]
        return [strategy for strategy in dict.fromkeys(ordered) if strategy not in tried]

    def tried(self) -> set[tuple[str, str]]:
        """Strategies that have been tried, whether they worked or not."""
        return {(attempt.criterion, attempt.allocation) for attempt in self.attempts if attempt.step == "explore"}

    def rule(self) -> StrategyDecision:
        """The best attempt's strategy to commit to; otherwise the next that has not been tried."""
        best = best_explored(self.attempts)
        ratio = min(self.target_ratio, self.max_ratio)
        confidence = round(best.proxy.score or 0.0, 4) if best and best.proxy else 0.5
        if self.step == "commit" and best is not None:
            criterion, allocation = best.criterion, best.allocation
            reason = f"attempt {best.number} is the best of {len(self.attempts)}"
        else:
            untried = self.untried()
            criterion, allocation = untried[0] if untried else (self.criteria[0], next(iter(self.allocations)))
            reason = "every criterion has its turn" if best is None or criterion != best.criterion else "it leads"
            reason = f"{criterion} with allocation {allocation} is untried: {reason}"
        return StrategyDecision(
            importance_criterion=criterion,
            allocation=allocation,
            pruning_ratio=ratio,
            confidence=min(1.0, max(0.0, confidence)),
            reasons=[reason],
        )

    def check(self, decision: StrategyDecision) -> None:
        """Known names, a ratio within the safety limit, and nothing that has been tried before."""
        _known("criterion", decision.importance_criterion, self.criteria)
        _known("allocation", decision.allocation, list(self.allocations))
        if decision.pruning_ratio > self.max_ratio + 1e-9:
            raise ValueError(f"pruning_ratio {decision.pruning_ratio:g} is past the safety limit of {self.max_ratio:g}")
        if decision.pruning_ratio <= 0:
            raise ValueError("pruning_ratio must be above 0")
        strategy = (decision.importance_criterion, decision.allocation)
        if self.step == "explore" and self.untried() and strategy in self.tried():
            raise ValueError(f"{strategy[0]} with allocation {strategy[1]} has been tried: choose another")


class LayerFacts(Record):
    """What is known of a layer."""

    name: str
    kind: str
    units: int
    limit: float
    """The largest share of its units that may go."""
    damage: float | None = None
    """How much the loss on the held slice rose when a share of this layer alone went; None if not measured."""
    gain: float | None = None
    """The share of the metric that this saved."""


class RatiosDecision(Decision):
    """How the cutting is shared out."""

    ratios: dict[str, float]
    """Per layer, the share of its units that is to go; all are scaled to the budget afterwards. A layer that is left
    out keeps everything."""


class ShareOut(Question[RatiosDecision]):
    """How much each layer shall lose.

    Layers whose loss rises little for what they save can lose more. No ratio may exceed the layer's limit.
    """

    target_ratio: float
    allocation: str
    layers: list[LayerFacts]

    def rule(self) -> RatiosDecision:
        """The same share of every layer, or less where cutting costs more than it saves, within the limits."""
        mean = 1 - math.sqrt(max(0.0, 1 - self.target_ratio))  # a layer's products shrink with both of its sides
        exponents = _exponents(self.layers, self.allocation)
        ratios = {
            layer.name: min(layer.limit, 1 - (1 - mean) ** exponents.get(layer.name, 1.0)) for layer in self.layers
        }
        reason = "in proportion to what cutting saves and costs" if exponents else "the same for all"
        return RatiosDecision(ratios=ratios, reasons=[reason])

    def check(self, decision: RatiosDecision) -> None:
        """Known layers, and ratios within their limits."""
        limits = {layer.name: layer.limit for layer in self.layers}
        for name, ratio in decision.ratios.items():
            _known("layer", name, list(limits))
            if not 0 <= ratio <= 1:
                raise ValueError(f"the ratio of '{name}' must be from 0 to 1, not {ratio:g}")
            if ratio > limits[name] + 1e-9:
                raise ValueError(f"the ratio of '{name}' is {ratio:g}, past its safety limit of {limits[name]:g}")
        if not any(ratio > 0 for ratio in decision.ratios.values()):
            raise ValueError("no layer would lose anything")


class ReadingDecision(Decision):
    """What stands out about an architecture."""

    summary: str
    """In one or two sentences."""
    sensitive_layers: list[str] = []
    """Layers that should lose less than others."""


class Reading(Question[ReadingDecision]):
    """What to mind when this architecture is pruned.

    Name the layers that are probably delicate, such as the first and the last ones; they must be among the given ones.
    """

    model_name: str
    architecture: str
    layers: list[LayerFacts]
    held: int
    """Layers whose channels cannot go."""

    def rule(self) -> ReadingDecision:
        """The first layer of the forward, and narrow ones."""
        if not self.layers:
            return ReadingDecision(summary=f"a {self.architecture} network without prunable layers")
        median = sorted(layer.units for layer in self.layers)[len(self.layers) // 2]
        narrow = [layer.name for layer in self.layers if layer.units * 4 <= median]
        sensitive = list(dict.fromkeys([self.layers[0].name, *narrow]))
        summary = (
            f"a {self.architecture} network with {len(self.layers)} groups of channels that can be pruned; "
            f"{self.held} layers keep all of theirs"
        )
        reasons = ["what the first layer loses is lost for all; narrow layers have little to spare"]
        return ReadingDecision(summary=summary, sensitive_layers=sensitive, reasons=reasons)

    def check(self, decision: ReadingDecision) -> None:
        """Known layers."""
        for name in decision.sensitive_layers:
            _known("layer", name, [layer.name for layer in self.layers])


def _exponents(layers: list[LayerFacts], allocation: str) -> dict[str, float]:
    """Per layer, how much harder than the average it is cut: (gain / damage) to a power, within a factor of 3."""
    power = {"sensitivity": 0.25, "sensitivity_strong": 0.5}.get(allocation)
    measured = [layer for layer in layers if layer.damage is not None and layer.gain is not None]
    if power is None or not measured:
        return {}
    floor = max(max(layer.damage or 0.0 for layer in measured) * 1e-3, 1e-12)
    worth = {layer.name: max(layer.gain or 0.0, 1e-6) / max(layer.damage or 0.0, floor) for layer in measured}
    centre = math.exp(sum(map(math.log, worth.values())) / len(worth))
    return {name: min(3.0, max(1 / 3, (value / centre) ** power)) for name, value in worth.items()}


def _known(kind: str, name: str, names: list[str]) -> None:
    if name not in names:
        guess = nearest(name, names)
        hint = f"did you mean '{guess}'? " if guess else ""
        raise ValueError(f"no {kind} named '{name}': {hint}known: {', '.join(names)}")
