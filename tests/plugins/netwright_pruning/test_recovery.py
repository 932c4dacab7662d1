"""Recovery: what is left out when there is nothing to recover with, and what a recipe becomes."""

import copy

import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_pruning import Budget, prune_to_budget
from netwright_pruning.agents.config import RecoveryConfig
from netwright_pruning.baselines import MagnitudeL2
from netwright_pruning.recovery import own_recipe, recover
from netwright_training import TrainConfig
from netwright_training.config import DistillationConfig

RECIPE = TrainConfig(epochs=0, device="cpu")


def test_each_part_can_be_left_out(residual: nn.Module, images: Inputs) -> None:
    pruning = prune_to_budget(residual, images, Budget("macs", 0.5), MagnitudeL2(), seed=0)
    batches = [torch.rand(16, 3, 8, 8)]

    def recovered(settings: RecoveryConfig, original: nn.Module | None, batches: list[Tensor]) -> tuple[int, int]:
        model = copy.deepcopy(pruning.model)
        found = recover(
            model,
            original=original,
            kept=pruning.kept,
            batches=batches,
            splits=None,
            recipe=RECIPE,
            settings=settings,
            seed=0,
        )
        return found.refitted, found.recalibrated

    refitted, norms = recovered(RecoveryConfig(), residual, batches)
    assert refitted > 3
    assert norms == 2
    assert recovered(RecoveryConfig(reconstruct=False), residual, batches) == (0, 2)
    assert recovered(RecoveryConfig(), None, batches) == (0, 2)
    assert recovered(RecoveryConfig(), residual, []) == (0, 0)


def test_a_recipe_keeps_its_epochs() -> None:
    settings = RecoveryConfig(learning_rate_factor=3, distillation=DistillationConfig(), average_decay=0.9)
    recipe = TrainConfig.model_validate({"epochs": 7, "optimizer": {"lr": 0.1}})
    changed = own_recipe(recipe, settings)
    assert (changed.epochs, changed.average_decay) == (7, 0.9)
    assert abs(changed.optimizer.lr - 0.3) < 1e-12
    assert changed.distillation == DistillationConfig()
    assert own_recipe(recipe, settings, teacher=False).distillation is None
    assert own_recipe(recipe, RecoveryConfig()) == recipe
