"""Manifests: what they may say, and what is said of those that are wrong."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from netwright.cases import Tolerance
from netwright.cases.manifest import InputsSpec, TensorSpec, read_manifest
from netwright.errors import UserError


def manifest(**changes: Any) -> dict[str, Any]:
    tensor = {"shape": [2, 3]}
    return {"model": {"class": "Net"}, "inputs": {"args": [tensor]}, **changes}


def write(folder: Path, values: object) -> Path:
    file = folder / "manifest.yaml"
    file.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return file


def test_the_least_that_a_manifest_needs(tmp_path: Path) -> None:
    found = read_manifest(write(tmp_path, manifest()))
    assert found.model.module == "model"
    assert found.model.class_name == "Net"
    assert found.inputs.args == (TensorSpec(shape=(2, 3), dtype="float32", distribution="normal"),)
    assert (found.mode, found.device, found.tolerance) == ("eval", "auto", Tolerance())
    assert (found.weights, found.data, found.train) == (None, None, None)


def test_everything_that_a_manifest_may_say(tmp_path: Path) -> None:
    values = {
        "description": "A net",
        "model": {"module": "nets", "class": "Net", "kwargs": {"width": 4}},
        "inputs": {
            "args": [{"shape": [2, 3], "dtype": "bfloat16", "distribution": "uniform", "range": [-1, 1]}],
            "kwargs": {
                "ids": {"shape": [2], "dtype": "int64", "range": [0, 10]},
                "mask": {"shape": [], "dtype": "bool"},
            },
        },
        "weights": {"function": "initialise"},
        "mode": "train",
        "device": "cuda",
        "tolerance": {"factor": 2, "floor_eps": 16},
        "data": {"name": "digits"},
        "train": {"epochs": 3, "optimizer": {"name": "sgd"}},
    }
    found = read_manifest(write(tmp_path, values))
    assert found.model_dump(mode="json", by_alias=True, exclude_unset=True) == values
    assert found.train == {"epochs": 3, "optimizer": {"name": "sgd"}}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (manifest(model={}), r"'model\.class' is missing"),
        ({"model": {"class": "Net"}}, "'inputs' is missing"),
        (manifest(model={"clas": "Net"}), r"unknown key 'model\.clas'; did you mean 'class'"),
        (manifest(model={"class": "Net", "kwarg": {}}), r"unknown key 'model\.kwarg'; did you mean 'kwargs'"),
        (manifest(descripton=""), "unknown key 'descripton'; did you mean 'description'"),
        (manifest(inputs={"args": []}), "'inputs' cannot be .*declare at least one tensor"),
        (manifest(inputs={"args": [{"shape": [2, -3]}]}), r"'inputs\.args\.0\.shape\.1' cannot be -3"),
        (manifest(inputs={"args": [{"shape": [2, 0]}]}), r"'inputs\.args\.0\.shape\.1' cannot be 0"),
        (manifest(inputs={"args": [{"shape": [2.0]}]}), r"'inputs\.args\.0\.shape\.0' cannot be 2\.0.*integer"),
        (manifest(inputs={"args": [{"shape": 64}]}), r"'inputs\.args\.0\.shape' cannot be 64"),
        (
            manifest(inputs={"kwargs": {"x": {"shape": [2], "dtype": "flaot32"}}}),
            r"'inputs\.kwargs\.x\.dtype' cannot be 'flaot32'; did you mean 'float32'",
        ),
        (manifest(inputs={"args": [{"shape": [2], "dtype": "int32"}]}), r"'inputs\.args\.0' .*int32 needs a range"),
        (
            manifest(inputs={"args": [{"shape": [2], "dtype": "int32", "range": [0, 1.5]}]}),
            "must be whole numbers",
        ),
        (manifest(inputs={"args": [{"shape": [2], "range": [1, 1]}]}), "range must begin below its end"),
        (manifest(mode="test"), "'mode' cannot be 'test'"),
        (manifest(device="gpu"), "'device' cannot be 'gpu'"),
        ("- a list\n", "holds no mapping"),
        ("model: {class: [\n", "is not YAML.*line"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(tmp_path: Path, values: object, message: str) -> None:
    file = write(tmp_path, values)
    with pytest.raises(UserError, match=message) as caught:
        read_manifest(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_manifest(tmp_path / "manifest.yaml")


def test_batch_size_replaces_the_dimension_that_leads() -> None:
    inputs = InputsSpec(
        args=(TensorSpec(shape=(4, 3)), TensorSpec(shape=())),
        kwargs={"same": TensorSpec(shape=(4,)), "other": TensorSpec(shape=(3, 4))},
    )
    changed = inputs.with_batch_size(9)
    assert [tensor.shape for tensor in changed.args] == [(9, 3), ()]
    assert {name: tensor.shape for name, tensor in changed.kwargs.items()} == {"same": (9,), "other": (3, 4)}
