"""Calibration batches."""

import torch
from torch.utils.data import TensorDataset

from netwright_pruning.calibration import draw_batches
from netwright_pruning.config import CalibrationConfig


def dataset(count: int) -> TensorDataset:
    return TensorDataset(torch.arange(count, dtype=torch.float32)[:, None], torch.arange(count))


def test_batches_are_drawn_without_repetition() -> None:
    batches = draw_batches(dataset(100), CalibrationConfig(batches=4, batch_size=16), "cpu", seed=0)
    assert [len(targets) for _, targets in batches] == [16] * 4
    drawn = torch.cat([targets for _, targets in batches])
    assert len(set(drawn.tolist())) == 64
    assert all(torch.equal(inputs[:, 0], targets.float()) for inputs, targets in batches)


def test_the_seed_alone_decides() -> None:
    config = CalibrationConfig(batches=2, batch_size=8)
    one, same, other = (draw_batches(dataset(50), config, "cpu", seed=seed)[0][1] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_few_samples_give_what_there_is_but_no_batch_of_one() -> None:
    config = CalibrationConfig(batches=5, batch_size=4)
    assert [len(targets) for _, targets in draw_batches(dataset(9), config, "cpu", seed=0)] == [4, 4]
    assert [len(targets) for _, targets in draw_batches(dataset(7), config, "cpu", seed=0)] == [4, 3]
