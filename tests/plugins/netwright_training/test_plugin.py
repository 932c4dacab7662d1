"""What the plugin registers can be loaded, and strangers may add datasets."""

from collections.abc import Callable
from typing import cast

import pytest
from torch.utils.data import TensorDataset

import netwright_training
from netwright.errors import UserError
from netwright.registry import Registry, registry
from netwright_training import load_dataset

RegisterPlugin = Callable[..., Registry]

STRANGER = """
import torch
from torch.utils.data import TensorDataset

from netwright import hookimpl
from netwright_training import Splits
from netwright_training.specs import DatasetSpec


@hookimpl
def netwright_datasets():
    return [
        DatasetSpec(name="line", summary="A line", target="inline:load_line", settings=("options",)),
        DatasetSpec(name="nothing", summary="No splits", target="inline:load_nothing"),
    ]


def load_line(config, seed):
    points = torch.linspace(0, 1, config.options["points"]).unsqueeze(1)
    data = TensorDataset(points, torch.zeros_like(points))
    return Splits(data, data, data, None, (1,), "regression", "line")


def load_nothing(config, seed):
    return None
"""


def test_every_dataset_and_metric_of_the_plugin_loads() -> None:
    datasets = ["cifar10", "csv", "digits", "dummy", "image_folder", "imagenet", "mnist"]
    assert set(datasets) <= set(registry().names("dataset"))
    assert all(callable(registry().load("dataset", name)) for name in datasets)
    metrics = ["accuracy", "f1_macro", "mse", "top_5_accuracy"]
    assert set(metrics) <= set(registry().names("metric"))
    assert all(registry().metric(name).of == "predictions" for name in metrics)
    assert all(callable(registry().load("metric", name)) for name in metrics)


def test_a_strangers_dataset_loads_by_name_with_its_options(register_plugin: RegisterPlugin) -> None:
    register_plugin(STRANGER)
    splits = load_dataset({"name": "line", "options": {"points": 7}}, seed=0)
    assert len(cast("TensorDataset", splits.train)) == 7


def test_a_loader_that_gives_no_splits_is_named(register_plugin: RegisterPlugin) -> None:
    register_plugin(STRANGER)
    with pytest.raises(Exception, match="dataset 'nothing' gives no Splits; its loader is inline:load_nothing"):
        load_dataset({"name": "nothing"}, seed=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "digit"}, r"no dataset named 'digit'; did you mean 'digits'\?"),
        ({"name": "digits", "target": "label"}, "dataset 'digits' does not read 'data.target'; it reads name, limit"),
        ({"name": "digits", "rot": "."}, r"unknown key 'data.rot'; did you mean 'root'\?"),
    ],
)
def test_wrong_data_settings_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_dataset(values, seed=0)


def test_every_exported_name_exists() -> None:
    assert all(getattr(netwright_training, name) is not None for name in netwright_training.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        netwright_training.__getattr__("trian")
