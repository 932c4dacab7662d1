"""Tables: features and a target column from a CSV file."""

import csv
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from netwright.errors import UserError, unknown_name
from netwright_training.config import DatasetConfig, Task
from netwright_training.datasets.tensors import split_tensors
from netwright_training.splits import Samples, Splits

MAX_GUESSED_CLASSES = 20
LAYOUT = "set data.root to a CSV file with a header line"


@dataclass(frozen=True)
class Table:
    """A table's cells as text, column by column.

    Attributes:
        lines: Number of the line that each row ends on in the file.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]

    def cells(self, name: str) -> list[str]:
        """The cells of a column.

        Raises:
            UserError: There is no such column; the nearest is shown.
        """
        if name not in self.columns:
            raise unknown_name(f"column of {self.path.name}", name, self.columns)
        return self.columns[name]

    def numbers(self, name: str) -> Tensor:
        """A column as float64 of shape (rows,).

        Raises:
            UserError: A cell is empty, no number or not finite; the message names its line.
        """
        values = [_number(cell) for cell in self.cells(name)]
        for value, cell, line in zip(values, self.columns[name], self.lines, strict=True):
            if not math.isfinite(value):
                raise UserError(
                    f"{self.path}, line {line}: column '{name}' holds {cell!r}",
                    why="not a finite number",
                    remedy="correct it, or leave the column out with data.features",
                )
        return torch.tensor(values, dtype=torch.float64)


def load_csv(config: DatasetConfig, seed: int) -> Splits:
    """Inputs of shape (features,), standardised with the training split's means and standard deviations.

    Targets of a regression have shape (1,) and are standardised in the same way: their `mse` is in units of the
    training targets' variance. Classes are numbered in the order of their numbers or names.

    Raises:
        UserError: There is no such file or column, or a cell does not fit.
    """
    table = read_table(config.root)
    target = config.target if config.target is not None else list(table.columns)[-1]
    table.cells(target)
    names = config.features or tuple(name for name in table.columns if name != target)
    if target in names or not names:
        raise UserError(f"{table.path} leaves nothing to predict '{target}' from", remedy="check data.features")
    inputs = torch.stack([table.numbers(name) for name in names], dim=1)
    if (config.task or _guess_task(table, target)) == "classification":
        targets, classes = _classes(table.cells(target))
        splits = split_tensors(
            inputs, targets, config, seed, task="classification", num_classes=len(classes), classes=classes
        )
    else:
        splits = split_tensors(inputs, table.numbers(target).unsqueeze(1), config, seed, task="regression")
    return standardised(splits)


def read_table(path: Path | None) -> Table:
    """Read a CSV file with a header; cells are separated by whichever of comma, semicolon and tab heads it most.

    Raises:
        UserError: There is no such file, it is empty, its header repeats a name, or a row is longer or shorter.
    """
    if path is None:
        raise UserError("dataset 'csv' needs a file", remedy=LAYOUT)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read {path}", why=(error.strerror or str(error)).lower(), remedy=LAYOUT) from None
    except UnicodeDecodeError:
        raise UserError(f"cannot read {path}", why="it is not UTF-8 text", remedy=LAYOUT) from None
    header_line = text.partition("\n")[0]
    reader = csv.reader(text.splitlines(keepends=True), delimiter=max(",;\t", key=header_line.count))
    header = [name.strip() for name in next(reader, [])]
    if not header or len(set(header)) < len(header):
        raise UserError(f"{path} has no header of distinct names", remedy=LAYOUT)
    rows, lines = [], []
    for row in reader:
        if row and len(row) != len(header):
            raise UserError(f"{path}, line {reader.line_num} has {len(row)} cells", why=f"the header has {len(header)}")
        if row:
            rows.append([cell.strip() for cell in row])
            lines.append(reader.line_num)
    if not rows:
        raise UserError(f"{path} has no rows", remedy=LAYOUT)
    return Table(path, {name: list(cells) for name, cells in zip(header, zip(*rows, strict=True), strict=True)}, lines)


def standardised(splits: Splits) -> Splits:
    """Inputs, and a regression's targets, in float32 less the training split's mean, over its standard deviation."""
    inputs, targets = cast("TensorDataset", splits.train).tensors
    regression = splits.task == "regression"

    def convert(samples: Samples) -> TensorDataset:
        own_inputs, own_targets = cast("TensorDataset", samples).tensors
        return TensorDataset(
            _standardise(own_inputs, inputs), _standardise(own_targets, targets) if regression else own_targets
        )

    return replace(
        splits, train=convert(splits.train), validation=convert(splits.validation), test=convert(splits.test)
    )


def _standardise(values: Tensor, reference: Tensor) -> Tensor:
    spread = reference.std(dim=0, correction=0)
    return ((values - reference.mean(dim=0)) / torch.where(spread > 0, spread, 1.0)).float()


def _guess_task(table: Table, target: str) -> Task:
    """Text, or at most 20 different whole numbers, are classes."""
    values = {_number(cell) for cell in table.cells(target)}
    if any(math.isnan(value) for value in values):
        return "classification"
    few = len(values) <= MAX_GUESSED_CLASSES and all(value.is_integer() for value in values)
    return "classification" if few else "regression"


def _classes(cells: list[str]) -> tuple[Tensor, tuple[str, ...]]:
    """Class numbers of shape (rows,), and the classes' names in order."""
    names = sorted(set(cells), key=lambda cell: (_number(cell) if not math.isnan(_number(cell)) else math.inf, cell))
    number = {name: index for index, name in enumerate(names)}
    return torch.tensor([number[cell] for cell in cells]), tuple(names)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
