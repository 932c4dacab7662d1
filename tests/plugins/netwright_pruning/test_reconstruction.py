"""Layers that are refitted after pruning do the work of the whole ones as well as linear algebra allows."""

import copy

import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_pruning import Budget, prune_to_budget, recalibrate
from netwright_pruning.baselines import MagnitudeL2
from netwright_pruning.reconstruction import reconstruct


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


def test_grouped_convolutions_are_passed_over() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1, groups=2), nn.Flatten(), nn.Linear(256, 4)
    )
    images = Inputs((torch.rand(2, 3, 4, 4),))
    pruning = prune_to_budget(model, images, Budget("macs", 0.6), MagnitudeL2(), seed=0, round_to=1)
    weight = pruning.model.get_parameter("1.weight").clone()
    assert reconstruct(model.eval(), pruning.model, pruning.kept, batches_of(32, 3, 4, 4)) == 1
    assert torch.equal(weight, pruning.model.get_parameter("1.weight"))
