"""Batches of a dataset: gathered at once from tensors in memory, through a data loader otherwise."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from netwright.errors import UserError
from netwright_training.splits import Samples, sample_count

Batch = tuple[Tensor, Tensor]


class Batches:
    """Serves a dataset in batches on a device.

    A `TensorDataset` moves to the device as a whole, once.

    Args:
        workers: Processes that load data which is not in memory.
        num_classes: Labels must lie below it; None for targets that are no classes.

    Raises:
        UserError: A label is out of range, at once for data in memory, otherwise when its batch comes up.
    """

    def __init__(
        self,
        dataset: Samples,
        batch_size: int,
        device: torch.device,
        *,
        workers: int = 0,
        num_classes: int | None = None,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.device = device
        self.workers = workers
        self.num_classes = num_classes
        self.count = sample_count(dataset)
        self._tensors: Sequence[Tensor] | None = None
        if isinstance(dataset, TensorDataset):
            self._check_labels(dataset.tensors[1])
            self._tensors = [tensor.to(device) for tensor in dataset.tensors]

    @property
    def steps(self) -> int:
        """Batches in one shuffled pass."""
        return len(self._ends(training=True)) - 1

    def in_order(self) -> Iterator[Batch]:
        """Every sample once, in the dataset's order."""
        ends = self._ends(training=False)
        if self._tensors is not None:
            inputs, targets = self._tensors
            return ((inputs[start:end], targets[start:end]) for start, end in pairwise(ends))
        return self._loaded([list(range(start, end)) for start, end in pairwise(ends)], None)

    def shuffled(self, random: torch.Generator) -> Iterator[Batch]:
        """One pass in random order, less a last batch of a single sample, on which batch normalisation cannot train."""
        order = torch.randperm(self.count, generator=random)
        ends = self._ends(training=True)
        if self._tensors is not None:
            inputs, targets = self._tensors
            order = order.to(self.device)
            chosen = (order[start:end] for start, end in pairwise(ends))
            return ((inputs[indices], targets[indices]) for indices in chosen)
        return self._loaded([order[start:end].tolist() for start, end in pairwise(ends)], random)

    def _ends(self, *, training: bool) -> list[int]:
        ends = [*range(0, self.count, self.batch_size), self.count]
        single_last = len(ends) > 2 and ends[-1] - ends[-2] == 1
        return ends[:-1] if training and single_last and self.batch_size > 1 else ends

    def _loaded(self, groups: list[list[int]], random: torch.Generator | None) -> Iterator[Batch]:
        loader = DataLoader(
            self.dataset,
            batch_sampler=groups,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            generator=random or torch.Generator(),  # else the global one would be drawn from
        )
        try:
            for inputs, targets in loader:
                self._check_labels(targets)
                yield inputs.to(self.device, non_blocking=True), targets.to(self.device, non_blocking=True)
        except UserError as error:
            # A worker process wraps the message into its traceback, whose last line holds it.
            raise UserError(str(error).strip().splitlines()[-1].removeprefix("netwright.errors.UserError: ")) from error

    def _check_labels(self, labels: Tensor) -> None:
        if self.num_classes is None or len(labels) == 0:
            return
        low, high = (int(end) for end in labels.aminmax())
        if low < 0 or high >= self.num_classes:
            raise UserError(
                f"a label is {low if low < 0 else high}",
                why=f"{self.num_classes} classes are numbered from 0 to {self.num_classes - 1}",
            )
