"""Equality: surgery that takes the wrong channels is found, whatever the shapes."""

import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_pruning.equality import check_equality
from netwright_pruning.groups import trace


def test_the_pruned_model_equals_the_zeroed_one(residual: nn.Module, images: Inputs) -> None:
    before = {name: tensor.clone() for name, tensor in residual.state_dict().items()}
    cuts = {"stem": [1, 5, 6], "inner1": [0, 47]}
    equality = check_equality(residual, images, trace(residual, images), cuts, seed=0)
    assert equality.verdict == "equal"
    assert all(torch.equal(tensor, before[name]) for name, tensor in residual.state_dict().items())


def test_normalisations_over_channels_see_what_remains(rows: Inputs) -> None:
    model = nn.Sequential(nn.Linear(16, 32), nn.LayerNorm(32), nn.Linear(32, 5))
    assert check_equality(model, rows, trace(model, rows), {"0": [3, 4]}, seed=0).verdict == "equal"


class Centred(nn.Module):
    """Takes away the mean over channels, by an operator that says so or by hand."""

    def __init__(self, *, by_hand: bool) -> None:
        super().__init__()
        self.by_hand = by_hand
        self.hidden = nn.Linear(16, 32)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.hidden(x)
        mean = x.sum(1, keepdim=True) / x.shape[1] if self.by_hand else x.mean(1, keepdim=True)
        outputs: Tensor = self.head(x - mean)
        return outputs


def test_a_mean_over_channels_is_compared_over_those_that_remain(rows: Inputs) -> None:
    model = Centred(by_hand=False)
    cut = check_equality(model, rows, trace(model, rows), {"hidden": [0, 1, 2, 3]}, seed=0)
    assert cut.verdict == "equal"


def test_a_sum_that_is_divided_by_the_width_cannot_be_compared(rows: Inputs) -> None:
    model = Centred(by_hand=True)
    equality = check_equality(model, rows, trace(model, rows), {"hidden": [0, 1, 2, 3]}, seed=0)
    assert equality.verdict == "not comparable"
    assert "sum over channels" in equality.reason


def test_silent_errors_are_found(rows: Inputs) -> None:
    """A count that the code keeps for itself shifts the channels that follow, and every shape is right."""

    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(16, 32)
            self.head = nn.Linear(10, 5)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.head(torch.relu(self.hidden(x))[:, 2:12])
            return outputs

    model = Shifted()
    assert check_equality(model, rows, trace(model, rows), {"hidden": [0, 20]}, seed=0).verdict == "different"
