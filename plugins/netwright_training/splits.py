"""What a dataset gives: training, validation and test splits, and what is needed to match a model to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset

from netwright.errors import UserError
from netwright_training.config import Task
from netwright_training.seeds import generator

Samples = Dataset[Any]
"""A map-style dataset of (input, target) pairs."""


@dataclass(frozen=True)
class Splits:
    """A dataset, split. A sample is a pair (input, target).

    Attributes:
        train: What to learn from. A `TensorDataset` of (inputs, targets) is served a whole batch at a time.
        validation: What decides on the best weights and on early stopping.
        test: What the final figures come from; nothing is chosen by it.
        num_classes: How many classes there are, numbered from 0; None for regression.
        input_shape: Shape of one input, without the batch.
        task: What to predict: a class (targets are int64 scalars) or numbers (float32, of the model's output shape).
        name: The dataset's registered name.
        classes: What the classes are called, in order, where the data says so.
    """

    train: Samples
    validation: Samples
    test: Samples
    num_classes: int | None
    input_shape: tuple[int, ...]
    task: Task
    name: str
    classes: tuple[str, ...] | None = None

    def limited(self, limit: int, seed: int) -> Splits:
        """The same with at most `limit` samples per split, drawn by the seed."""
        return replace(
            self,
            train=_draw(self.train, limit, seed, "train"),
            validation=_draw(self.validation, limit, seed, "validation"),
            test=_draw(self.test, limit, seed, "test"),
        )


def sample_count(dataset: Samples) -> int:
    """How many samples a map-style dataset has."""
    return len(dataset)  # type: ignore[arg-type]  # Dataset declares no __len__, though every map-style one has it


def take(dataset: Samples, indices: Tensor) -> Samples:
    """The samples of `dataset` at `indices`, shape (n,), in that order; one in memory stays a `TensorDataset`."""
    if isinstance(dataset, TensorDataset):
        return TensorDataset(*(tensor[indices] for tensor in dataset.tensors))
    return Subset(dataset, indices.tolist())


def split_indices(labels: Tensor, fractions: Sequence[float], seed: int, *, name: str) -> tuple[Tensor, ...]:
    """Indices of disjoint parts with the given shares, and last those of the rest, each in ascending order.

    Every part holds its share of each class to within a sample, and of all samples. The rest keeps at least one sample
    of each class.

    Args:
        labels: Class of each sample, shape (n,); all equal for a split that looks at nothing but the seed.
        fractions: Share of each part but the rest.
        name: The dataset's name, for the message.

    Raises:
        UserError: A part would be empty.
    """
    random = generator(seed, "split")
    owed = [0.0] * len(fractions)
    parts: list[list[Tensor]] = [[] for _ in range(len(fractions) + 1)]
    for label in sorted(set(labels.tolist())):
        group = torch.where(labels == label)[0]
        shuffled = group[torch.randperm(len(group), generator=random)]
        sizes: list[int] = []
        for number, fraction in enumerate(fractions):
            wanted = owed[number] + fraction * len(group)
            sizes.append(min(max(round(wanted), 0), len(group) - 1 - sum(sizes)))
            owed[number] = wanted - sizes[-1]
        for part, piece in zip(parts, _pieces(shuffled, [*sizes, len(group) - sum(sizes)]), strict=True):
            part.append(piece)
    joined = tuple(torch.cat(part).sort().values for part in parts)
    if any(len(part) == 0 for part in joined):
        raise UserError(
            f"dataset '{name}' has too few samples to split",
            why=f"{len(labels)} samples give parts of {', '.join(str(len(part)) for part in joined)}",
            remedy="bring more data, or change data.validation_fraction and data.test_fraction",
        )
    return joined


def _pieces(indices: Tensor, sizes: list[int]) -> list[Tensor]:
    ends = torch.tensor([0, *sizes]).cumsum(0).tolist()
    return [indices[start:end] for start, end in pairwise(ends)]


def _draw(dataset: Samples, limit: int, seed: int, split: str) -> Samples:
    count = sample_count(dataset)
    if count <= limit:
        return dataset
    chosen = torch.randperm(count, generator=generator(seed, "limit", split))[:limit]
    return take(dataset, chosen.sort().values)
