"""What a training borrows comes back."""

import pytest
import torch
from torch import nn

from netwright.errors import UserError
from netwright_training.surroundings import model_device, modes_kept, resolve_device


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", "no device named 'gpu'; choose cpu"),
        ("meta", "cannot train on 'meta'"),
        ("cuda:99", "no CUDA device|no device 'cuda:99'"),
    ],
)
def test_unusable_devices_are_refused(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve_device(name)


def test_cuda_without_cuda_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA device; 'cuda' was asked for; set device to cpu or auto"):
        resolve_device("cuda")
    assert resolve_device("auto") == torch.device("cpu")


def test_every_module_gets_its_own_mode_back() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(), nn.Linear(2, 2))
    model[0].eval()
    with modes_kept(model):
        model.eval()
    assert [module.training for module in model] == [False, True, True]


def test_a_model_without_tensors_is_on_the_cpu() -> None:
    assert model_device(nn.ReLU()) == torch.device("cpu")
