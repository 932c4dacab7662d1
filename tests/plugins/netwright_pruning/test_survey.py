"""The survey: what has to go together is found although it agrees at the floor."""

import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_pruning import Budget, load_method, prune_to_budget
from netwright_pruning.survey import Survey


class Mixer(nn.Module):
    """Takes the width of its hidden layer for that of what comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = x + self.outer(torch.relu(self.inner(x)).reshape(x.shape))
        return outputs


def test_widths_that_agree_only_at_the_floor_are_coupled() -> None:
    torch.manual_seed(0)
    model, inputs = nn.Sequential(nn.Linear(5, 8), Mixer(), nn.Linear(8, 3)), Inputs((torch.rand(2, 5),))
    survey = Survey(model, inputs, round_to=1)
    assert not survey.faults
    assert {name: group.units for name, group in survey.rehearsal.graph.groups.items()} == {"0": 8}
    pruning = prune_to_budget(
        model, inputs, Budget("parameters", 0.6), load_method("magnitude_l2"), seed=0, round_to=1, tolerance=0.1
    )
    assert pruning.budget.within
    assert pruning.equality.verdict == "equal"
