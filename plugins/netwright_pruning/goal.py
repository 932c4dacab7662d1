"""Goals: several budgets that have to hold at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netwright.errors import UserError
from netwright.formatting import format_number
from netwright_pruning.budget import Budget, BudgetMetric, Target

Figures = Mapping[BudgetMetric, float]
"""What a model has of each metric."""


@dataclass(frozen=True)
class Goal:
    """The targets of all budgets; the one that leaves least is the one that binds.

    Attributes:
        unpruned: What the unpruned model has.
    """

    targets: Mapping[BudgetMetric, Target]
    unpruned: Figures
    tolerance: float

    def load(self, figures: Figures) -> float:
        """How much of what is allowed a model takes, by the budget that binds; 1 is exactly all of it."""
        return max(figures[metric] / target.value for metric, target in self.targets.items() if metric in figures)

    def binding(self, figures: Figures) -> BudgetMetric:
        """The budget that the model exceeds most, or falls short of least."""
        return max(self.targets, key=lambda metric: figures[metric] / self.targets[metric].value)

    @property
    def relative(self) -> Target:
        """The target of a search over loads."""
        return Target(1.0, self.tolerance)

    def refuse_unreachable(self, floor: Figures) -> None:
        """Make sure that the narrowest model, which has `floor`, is within every budget.

        Raises:
            UserError: It is not; the message says what can be met.
        """
        for metric, target in self.targets.items():
            if floor[metric] <= target.value or target.contains(floor[metric]):
                continue
            unit = " ms" if metric == "latency" else f" {metric}"
            fraction = floor[metric] / self.unpruned[metric]
            raise UserError(
                f"the budget of {format_number(target.value)}{unit} cannot be met",
                why=f"the narrowest layers leave {format_number(floor[metric])}, a fraction of {fraction:.3f}",
                remedy="ask for more than that, or allow narrower layers with a smaller agent.round_to",
            )


def set_goal(budgets: Sequence[Budget], unpruned: Figures, tolerance: float) -> Goal:
    """The targets of budgets for a model that has `unpruned`.

    Raises:
        UserError: The model fits an absolute budget already.
    """
    targets = {budget.metric: budget.target(unpruned[budget.metric], tolerance) for budget in budgets}
    return Goal(targets, unpruned, tolerance)
