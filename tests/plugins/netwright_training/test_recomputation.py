"""Gradient checkpointing: less is kept, and everything comes out the same."""

import copy

import pytest
import torch
from torch import Tensor, nn

from netwright_training import Splits, load_dataset, train
from netwright_training.recomputation import recomputing, repeated_blocks


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(6, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = x + self.dropout(torch.relu(self.norm(self.convolution(x))))
        return outputs


def network() -> nn.Module:
    torch.manual_seed(0)
    stages = nn.Sequential(nn.Sequential(Block(), Block()), nn.Sequential(Block(), Block()))
    return nn.Sequential(nn.Conv2d(3, 6, 3), stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))


def step(model: nn.Module, *, enabled: bool) -> tuple[Tensor, int]:
    """The outputs of a training step, and the bytes that it kept for the backward."""
    kept = 0

    def pack(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    torch.manual_seed(1)
    inputs = torch.rand(4, 3, 16, 16)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), recomputing(model, enabled=enabled):
        outputs: Tensor = model(inputs)
    outputs.square().sum().backward()
    return outputs.detach(), kept


def test_gradients_and_statistics_are_bit_equal_and_less_is_kept() -> None:
    plain = network()
    lean = copy.deepcopy(plain)
    for _ in range(2):
        expected, kept = step(plain, enabled=False)
        outputs, kept_lean = step(lean, enabled=True)
        assert torch.equal(outputs, expected)
        assert kept_lean < kept / 2
    for (name, parameter), (_, other) in zip(plain.named_parameters(), lean.named_parameters(), strict=True):
        assert torch.equal(parameter.grad, other.grad), name  # type: ignore[arg-type]
    for (name, buffer), (_, other) in zip(plain.named_buffers(), lean.named_buffers(), strict=True):
        assert torch.equal(buffer, other), name
    assert int(lean.get_buffer("1.0.0.norm.num_batches_tracked")) == 2


def test_the_model_is_as_before_afterwards() -> None:
    model = network()
    blocks = repeated_blocks(model)
    assert [type(block) for block in blocks] == [Block] * 4
    with pytest.raises(ZeroDivisionError), recomputing(model):
        1 / 0  # noqa: B018
    assert not any("forward" in vars(block) for block in blocks)
    assert blocks[0].norm.momentum == 0.1  # type: ignore[union-attr]


def test_a_training_ends_with_the_same_weights() -> None:
    splits: Splits = load_dataset({"name": "dummy", "samples": 48, "input_shape": (3, 8, 8), "num_classes": 4}, seed=0)
    plain, lean = network(), network()
    for model, enabled in ((plain, False), (lean, True)):
        recipe = {"epochs": 2, "batch_size": 16, "device": "cpu", "gradient_checkpointing": enabled}
        train(model, splits, recipe, seed=3)
    for (name, value), (_, other) in zip(plain.state_dict().items(), lean.state_dict().items(), strict=True):
        assert torch.equal(value, other), name
