"""Layers that are refitted after pruning do the work of the whole ones as well as linear algebra allows."""

import copy
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_pruning import Budget, prune_to_budget, recalibrate
from netwright_pruning.baselines import MagnitudeL2
from netwright_pruning.reconstruction import RIDGE, reconstruct


def batches_of(*shape: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(shape, generator=generator) for _ in range(4)]


def distance(model: nn.Module, other: nn.Module, batches: list[Tensor]) -> float:
    with torch.no_grad():
        return sum(float((model(batch) - other(batch)).square().mean()) for batch in batches)


def test_a_channel_that_others_can_stand_in_for_is_not_missed() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3)).eval()
    batches = batches_of(64, 4)
    pruning = prune_to_budget(
        model, Inputs((batches[0],)), Budget("parameters", 0.75), MagnitudeL2(), seed=0, round_to=1
    )
    before = distance(model, pruning.model, batches)
    assert reconstruct(model, pruning.model, pruning.kept, batches) == 1
    assert distance(model, pruning.model, batches) < 1e-3 * before  # six linear channels of four inputs lose nothing


def test_residual_networks_come_nearer_to_the_unpruned_one(residual: nn.Module, images: Inputs) -> None:
    batches = batches_of(16, 3, 8, 8)
    unpruned = copy.deepcopy(residual.state_dict())
    pruning = prune_to_budget(residual, images, Budget("macs", 0.5), MagnitudeL2(), seed=0)
    plain = copy.deepcopy(pruning.model)
    recalibrate(plain, batches)
    pruning.model.train()
    assert reconstruct(residual, pruning.model, pruning.kept, batches) > 3
    assert pruning.model.training
    unseen = [torch.rand((32, 3, 8, 8), generator=torch.Generator().manual_seed(2))]
    pruning.model.eval()
    assert distance(residual, pruning.model, unseen) < 0.5 * distance(residual, plain, unseen)
    assert all(torch.equal(tensor, unpruned[name]) for name, tensor in residual.state_dict().items())
    assert not any(module._forward_hooks for module in [*residual.modules(), *pruning.model.modules()])


def test_a_model_that_lost_nothing_is_left_alone(residual: nn.Module) -> None:
    kept = {name: range(len(m.weight)) for name, m in residual.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    same = copy.deepcopy(residual)
    for module in same.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False  # else they are re-estimated, and rightly so
    assert reconstruct(residual, same, kept, batches_of(8, 3, 8, 8)) == 0
    assert all(torch.equal(tensor, same.state_dict()[name]) for name, tensor in residual.state_dict().items())


def test_equal_inputs_give_equal_bits(residual: nn.Module, images: Inputs) -> None:
    batches = batches_of(16, 3, 8, 8)
    pruning = prune_to_budget(residual, images, Budget("macs", 0.5), MagnitudeL2(), seed=0)
    found = []
    for _ in range(2):
        model = copy.deepcopy(pruning.model)
        reconstruct(residual, model, pruning.kept, batches)
        found.append(model.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def least_squares(
    model: nn.Sequential, pruned: nn.Sequential, place: int, before: nn.Conv2d, channels: Sequence[int], x: Tensor
) -> tuple[Tensor, Tensor]:
    """Weight and bias of a refitted 3x3 convolution with padding, group by group from the stacked equations of the
    ridge, in float64: what comes in is what the refitted layers before it put out.
    """
    wanted = model[: place + 1](x)[:, list(channels)].movedim(1, -1).flatten(0, -2).numpy()
    padded = nn.functional.pad(pruned[:place](x), (1, 1, 1, 1))
    height, width = (size - 2 for size in padded.shape[2:])
    shifts = [padded[:, :, row : row + height, column : column + width] for row in range(3) for column in range(3)]
    groups = before.groups
    patches = torch.stack(shifts, 2).unflatten(1, (groups, -1)).permute(1, 0, 4, 5, 2, 3).flatten(4).flatten(1, 3)
    each = len(channels) // groups
    assert before.bias is not None
    found = []
    for group, some in enumerate(patches.numpy()):
        mine = slice(group * each, (group + 1) * each)
        rows = np.concatenate([some, np.ones((len(some), 1))], 1)
        held = np.concatenate([before.weight[mine].flatten(1).numpy(), before.bias[mine, None].numpy()], 1).T
        root = np.sqrt(RIDGE * (rows**2).sum(0).mean())
        stacked = np.concatenate([rows, root * np.eye(len(held))])
        found.append(np.linalg.lstsq(stacked, np.concatenate([wanted[:, mine], root * held]))[0].T)
    solution = torch.from_numpy(np.concatenate(found))
    return solution[:, :-1].reshape(before.weight.shape), solution[:, -1]


@pytest.mark.parametrize(("groups", "each_alone"), [(2, False), (16, True)])
def test_the_groups_of_a_convolution_are_fitted_each_by_itself(groups: int, each_alone: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, groups=groups),
        nn.Flatten(),
        nn.Linear(256, 4),
    ).eval()
    batches = batches_of(32, 3, 4, 4)
    pruning = prune_to_budget(
        model, Inputs((batches[0],)), Budget("macs", 0.6), MagnitudeL2(), seed=0, round_to=1, tolerance=0.05
    )
    pruned = pruning.model
    assert isinstance(pruned, nn.Sequential)
    assert len(pruning.kept["0"]) < 16
    assert len(pruning.kept["4"]) < 16
    assert (pruned[4].groups == len(pruning.kept["4"])) == each_alone
    before = copy.deepcopy(pruned[4]).double().requires_grad_(False)
    assert reconstruct(model, pruned, pruning.kept, batches) == 3
    exact, refitted = copy.deepcopy(model).double(), copy.deepcopy(pruned).double()
    with torch.no_grad():
        weight, bias = least_squares(exact, refitted, 4, before, pruning.kept["4"], torch.cat(batches).double())
    assert not torch.allclose(before.weight, weight, atol=1e-2)
    torch.testing.assert_close(refitted[4].weight, weight, rtol=1e-4, atol=1e-4, check_dtype=False)
    torch.testing.assert_close(refitted[4].bias, bias, rtol=1e-4, atol=1e-4, check_dtype=False)


def narrowed(*layers: nn.Module) -> tuple[nn.Sequential, nn.Sequential, dict[str, range]]:
    """A model, its copy whose first layer lost four of its sixteen channels, and what was kept."""
    model = nn.Sequential(nn.Conv2d(3, 16, 1), nn.ReLU(), *layers).eval()
    pruned = copy.deepcopy(model)
    kept = {name: range(len(m.weight)) for name, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    kept["0"] = range(12)
    first, second = pruned[0], pruned[2]
    first.weight, first.bias = nn.Parameter(first.weight[:12]), nn.Parameter(first.bias[:12])
    second.weight = nn.Parameter(second.weight[:, :12])
    return model, pruned, kept


def test_a_channel_that_is_always_zero_keeps_its_weights_and_stops_no_other() -> None:
    torch.manual_seed(0)
    second = nn.Conv2d(16, 8, 1)
    with torch.no_grad():
        second.weight[3], second.bias[3] = 0, -1  # type: ignore[index]
    model, pruned, kept = narrowed(second, nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8, bias=False))
    before = pruned[4].weight.detach().clone()
    assert reconstruct(model, pruned, kept, batches_of(32, 3, 4, 4)) == 2
    torch.testing.assert_close(pruned[4].weight[3], before[3])
    assert sum(not torch.allclose(pruned[4].weight[channel], before[channel]) for channel in range(8)) > 3


class Halved(nn.Conv2d):
    """Uses its weights in its own way, as convolutions with standardised weights do."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, self.weight / 2, self.bias)


def test_layers_that_compute_something_else_keep_their_weights_and_those_behind_them_are_refitted() -> None:
    torch.manual_seed(0)
    model, pruned, kept = narrowed(Halved(16, 8, 1), nn.Flatten(), nn.Linear(128, 4))
    before = copy.deepcopy(pruned)
    batches = batches_of(64, 3, 4, 4)
    assert reconstruct(model, pruned, kept, batches) == 1
    assert torch.equal(pruned[2].weight, before[2].weight)
    assert distance(model, pruned, batches) < 0.5 * distance(model, before, batches)
