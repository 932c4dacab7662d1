"""Optimizers are torch's own, with the recipe's settings."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn

from netwright.errors import UserError
from netwright_training.config import OptimizerConfig
from netwright_training.optimizers import make_optimizer


@pytest.mark.parametrize(
    ("config", "peer"),
    [
        (
            OptimizerConfig(name="adamw", lr=0.01, weight_decay=0.1, betas=(0.8, 0.9)),
            lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, betas=(0.8, 0.9)),
        ),
        (
            OptimizerConfig(name="adam", lr=0.01, weight_decay=0.1),
            lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
        ),
        (
            OptimizerConfig(name="sgd", lr=0.01, weight_decay=0.1, momentum=0.8, nesterov=True),
            lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1, momentum=0.8, nesterov=True),
        ),
    ],
    ids=["adamw", "adam", "sgd"],
)
def test_steps_agree_with_torchs_plain_optimizer(
    config: OptimizerConfig, peer: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]
) -> None:
    torch.manual_seed(0)
    mine, other = nn.Linear(5, 3), nn.Linear(5, 3)
    other.load_state_dict(mine.state_dict())
    inputs = torch.randn(8, 5)
    for model, optimizer in ((mine, make_optimizer(mine, config)), (other, peer(other.parameters()))):
        for _ in range(4):
            optimizer.zero_grad()
            model(inputs).square().mean().backward()
            optimizer.step()
    assert torch.allclose(mine.weight, other.weight, atol=1e-6)


def test_frozen_parameters_stay_out() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    assert len(make_optimizer(model, OptimizerConfig()).param_groups[0]["params"]) == 2
    with pytest.raises(UserError, match="the model has nothing to train; no parameter requires gradients"):
        make_optimizer(model.requires_grad_(False), OptimizerConfig())
