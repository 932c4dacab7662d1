"""Calibration batches: training samples that are looked at without training."""

from typing import Any

import torch
from torch.utils.data import Dataset, default_collate

from netwright_pruning.config import CalibrationConfig
from netwright_pruning.gradients import Batch


def draw_batches(dataset: "Dataset[Any]", config: CalibrationConfig, device: str, *, seed: int) -> list[Batch]:
    """Batches of (inputs, targets) on a device, without repetition, always the same for the same seed.

    A last batch of a single sample is left out: batch normalisation cannot average it.
    """
    count = len(dataset)  # type: ignore[arg-type]  # Dataset declares no __len__, though every map-style one has it
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    drawn = order[: config.batches * config.batch_size]
    parts = [drawn[start : start + config.batch_size] for start in range(0, len(drawn), config.batch_size)]
    batches = [default_collate([dataset[index] for index in part]) for part in parts if len(part) > 1]
    return [(inputs.to(device), targets.to(device)) for inputs, targets in batches]
