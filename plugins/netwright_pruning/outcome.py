"""What a pruning comes to: the pruned model, what it cost and costs, and how its budgets were met."""

from dataclasses import dataclass

from torch import nn

from netwright.cost import Cost
from netwright.result import Record
from netwright_pruning.budget import BudgetMetric
from netwright_pruning.equality import Equality
from netwright_pruning.search import Attempt
from netwright_pruning.surgery import Fault


class Share(Record):
    """One of several budgets."""

    metric: BudgetMetric
    unpruned: float
    target: float
    achieved: float
    error: float


class BudgetOutcome(Record):
    """How a budget was met; of several, the one that binds."""

    metric: BudgetMetric
    unpruned: int | float
    """What the unpruned model has of the metric; latency in milliseconds."""
    target: float
    """What was to remain."""
    tolerance: float
    """How far off is near enough, relative to the target."""
    achieved: int | float
    """What remains."""
    error: float
    """Relative to the target; negative means less than asked for."""
    within: bool
    """Whether the error is within the tolerance; a latency also is when it cannot be told apart from the target."""
    round_to: int | None
    """Of what the widths are multiples; None for what suits processors."""
    relaxed: list[str] = []
    """Groups whose widths are not, because the budget could not be met otherwise."""
    attempts: list[Attempt]
    """Every set of widths that was measured, in order."""
    all: list[Share] = []
    """Every budget that was to hold, where there were several."""


@dataclass(frozen=True)
class Pruning:
    """A pruned model and how it came about.

    Attributes:
        model: The pruned copy, in the modes of the model that was given.
        widths: Per layer that lost output channels, how many it had and has.
        faults: Groups that were left whole because the model does not work without all of their channels.
        equality: How the pruned structure compares with the unpruned one whose pruned channels are zeroed.
        kept: Per layer with a weight, which of the unpruned layer's output channels remain, in order.
    """

    model: nn.Module
    before: Cost
    after: Cost
    budget: BudgetOutcome
    widths: dict[str, tuple[int, int]]
    faults: tuple[Fault, ...]
    equality: Equality
    kept: dict[str, tuple[int, ...]]
