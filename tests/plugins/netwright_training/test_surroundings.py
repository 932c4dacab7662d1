"""What a training borrows comes back."""

import torch
from torch import nn

from netwright_training.surroundings import model_device, modes_kept


def test_every_module_gets_its_own_mode_back() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(), nn.Linear(2, 2))
    model[0].eval()
    with modes_kept(model):
        model.eval()
    assert [module.training for module in model] == [False, True, True]


def test_a_model_without_tensors_is_on_the_cpu() -> None:
    assert model_device(nn.ReLU()) == torch.device("cpu")
