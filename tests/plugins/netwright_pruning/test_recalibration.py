"""Re-estimation of batch normalisation."""

import torch
from torch import nn

from netwright_pruning import recalibrate


def batches() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(8, 3, 8, 8, generator=generator) for _ in range(3)]


def test_statistics_become_the_mean_over_batches() -> None:
    norm = nn.BatchNorm2d(3).eval()
    assert recalibrate(norm, batches()) == 1
    means = torch.stack([batch.mean((0, 2, 3)) for batch in batches()])
    variances = torch.stack([batch.var((0, 2, 3)) for batch in batches()])
    torch.testing.assert_close(norm.running_mean, means.mean(0))
    torch.testing.assert_close(norm.running_var, variances.mean(0))


def test_equal_batches_give_equal_bits_whatever_was_there_before(residual: nn.Module) -> None:
    recalibrate(residual, batches())
    first = {name: tensor.clone() for name, tensor in residual.state_dict().items()}
    residual.get_buffer("norm.running_mean").fill_(7.0)
    recalibrate(residual, batches())
    assert all(torch.equal(tensor, first[name]) for name, tensor in residual.state_dict().items())


def test_weights_modes_and_momenta_stay(residual: nn.Module) -> None:
    residual.get_submodule("stem_norm").train()
    before = [parameter.clone() for parameter in residual.parameters()]
    recalibrate(residual, batches())
    assert all(torch.equal(parameter, old) for parameter, old in zip(residual.parameters(), before, strict=True))
    assert [name for name, module in residual.named_modules() if module.training] == ["stem_norm"]
    assert residual.get_submodule("norm").momentum == 0.1
    assert all(parameter.grad is None for parameter in residual.parameters())


def test_dropout_stays_off() -> None:
    model = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm2d(3)).train()
    recalibrate(model, batches())
    expected = torch.stack([batch.mean((0, 2, 3)) for batch in batches()]).mean(0)
    torch.testing.assert_close(model.get_buffer("1.running_mean"), expected)
    assert model.training


def test_a_model_without_batch_normalisation_is_not_even_run(stubborn: nn.Module) -> None:
    assert recalibrate(stubborn, iter(())) == 0
    assert recalibrate(nn.BatchNorm2d(3, track_running_stats=False), batches()) == 0
