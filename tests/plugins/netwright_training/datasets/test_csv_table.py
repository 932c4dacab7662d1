"""Tables are read strictly, split, and standardised by what is trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.data import TensorDataset

from netwright.errors import UserError
from netwright_training import Splits, load_dataset

ROWS = [(f"{n}", f"{n * n}", "red" if n % 2 else "blue") for n in range(40)]


def write(
    folder: Path, rows: Sequence[tuple[str, ...]], header: str = "size,area,colour", separator: str = ","
) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([header.replace(",", separator), *(separator.join(row) for row in rows)]) + "\n")
    return path


def load(path: Path, **values: object) -> Splits:
    return load_dataset({"name": "csv", "root": path, **values}, seed=0)


def together(splits: Splits, position: int) -> torch.Tensor:
    parts = (splits.train, splits.validation, splits.test)
    return torch.cat([cast("TensorDataset", part).tensors[position] for part in parts])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_text_targets_are_classes_and_features_are_standardised_by_the_training_split(
    tmp_path: Path, separator: str
) -> None:
    splits = load(write(tmp_path, ROWS, separator=separator))
    inputs, targets = cast("TensorDataset", splits.train).tensors
    assert (splits.task, splits.num_classes, splits.classes, splits.input_shape) == (
        "classification",
        2,
        ("blue", "red"),
        (2,),
    )
    assert inputs.mean(0).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert inputs.std(0, correction=0).tolist() == pytest.approx([1, 1], abs=1e-6)
    everything = together(splits, 0)
    order = everything[:, 0].argsort()
    steps = everything[order, 0].diff()
    assert steps.tolist() == pytest.approx([steps[0].item()] * 39, rel=1e-3)
    assert together(splits, 1)[order].tolist() == [n % 2 for n in range(40)]
    assert targets.dtype == torch.int64


def test_many_numbers_are_a_regression_in_units_of_the_training_split(tmp_path: Path) -> None:
    splits = load(write(tmp_path, ROWS), target="area", features=["size"])
    targets = cast("TensorDataset", splits.train).tensors[1]
    assert (splits.task, splits.num_classes, tuple(targets.shape[1:])) == ("regression", None, (1,))
    assert targets.mean().item() == pytest.approx(0, abs=1e-6)
    assert targets.std(correction=0).item() == pytest.approx(1, abs=1e-6)


def test_few_whole_numbers_are_classes_in_their_order_unless_told_otherwise(tmp_path: Path) -> None:
    path = write(tmp_path, [(f"{n}", f"{(2, 10, 3)[n % 3]}") for n in range(30)], header="x,y")
    assert load(path).classes == ("2", "3", "10")
    assert load(path, task="regression").task == "regression"


def test_a_constant_feature_does_no_harm(tmp_path: Path) -> None:
    splits = load(write(tmp_path, [("7", *row[1:]) for row in ROWS]))
    assert together(splits, 0)[:, 0].tolist() == [0] * 40


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(values=st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=30, max_size=60, unique=True))
def test_numbers_survive_reading_but_for_scale(tmp_path: Path, values: list[float]) -> None:
    splits = load(write(tmp_path, [(repr(v), "a" if n % 2 else "b") for n, v in enumerate(values)], header="x,y"))
    read = together(splits, 0)[:, 0].double().sort().values
    expected = torch.tensor(values, dtype=torch.float64).sort().values
    assume_spread = expected[-1] - expected[0]
    scaled = (read - read[0]) / (read[-1] - read[0]) * assume_spread + expected[0]
    assert torch.allclose(scaled, expected, atol=float(assume_spread) * 1e-5)


@pytest.mark.parametrize(
    ("rows", "values", "message"),
    [
        (ROWS, {"target": "color"}, r"no column of table.csv named 'color'; did you mean 'colour'\?"),
        (ROWS, {"features": ["sise"]}, r"no column of table.csv named 'sise'; did you mean 'size'\?"),
        (ROWS, {"features": ["colour"]}, "leaves nothing to predict 'colour' from; check data.features"),
        ([*ROWS, ("1", "many", "red")], {}, r"table.csv, line 42: column 'area' holds 'many'; not a finite number"),
        ([*ROWS, ("1", "", "red")], {}, r"line 42: column 'area' holds ''"),
        ([*ROWS, ("1", "nan", "red")], {}, r"line 42: column 'area' holds 'nan'"),
        (ROWS, {"task": "regression"}, r"line 2: column 'colour' holds 'blue'"),
        ([*ROWS, ("1", "2")], {}, "line 42 has 2 cells; the header has 3"),
        ([], {}, "has no rows"),
        (ROWS[:2], {}, "dataset 'csv' has too few samples to split"),
    ],
)
def test_bad_tables_are_refused_in_one_line(
    tmp_path: Path, rows: Sequence[tuple[str, ...]], values: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load(write(tmp_path, rows), **values)
    assert "\n" not in str(caught.value)


def test_missing_files_and_headers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dataset 'csv' needs a file; set data.root to a CSV file"):
        load_dataset({"name": "csv"}, seed=0)
    with pytest.raises(UserError, match=r"cannot read .*absent.csv; no such file or directory; set data.root"):
        load(tmp_path / "absent.csv")
    with pytest.raises(UserError, match=r"cannot read"):
        load(tmp_path)
    with pytest.raises(UserError, match="no header of distinct names"):
        load(write(tmp_path, ROWS, header="size,size,colour"))
