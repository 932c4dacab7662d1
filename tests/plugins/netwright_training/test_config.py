"""The settings refuse what they do not know, name the nearest, and need no torch."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from netwright.config import parse_config
from netwright.errors import UserError
from netwright_training import DatasetConfig, TrainConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": {"name": "adamv"}}, r"'train.optimizer.name' cannot be 'adamv'; did you mean 'adam'\?"),
        ({"optimizer": {"nme": "adam"}}, r"unknown key 'train.optimizer.nme'; did you mean 'name'\?"),
        ({"scheduler": {"name": "cosin"}}, r"'train.scheduler.name' cannot be 'cosin'; did you mean 'cosine'\?"),
        ({"loss": "crossentropy"}, r"'train.loss' cannot be 'crossentropy'; did you mean 'cross_entropy'\?"),
        ({"amp": "fp8"}, r"'train.amp' cannot be 'fp8'; did you mean 'fp16'\? known: off, bf16, fp16"),
        ({"batch_size": 0}, "'train.batch_size' cannot be 0; input should be greater than or equal to 1"),
        ({"early_stopping": {"patience": "long"}}, "'train.early_stopping.patience' cannot be 'long'"),
        ({"scheduler": {"name": "one_cycle", "warmup_epochs": 1}}, "one_cycle has a rise of its own"),
    ],
)
def test_wrong_recipe_is_refused_in_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_config(TrainConfig, values, path="train")
    assert "\n" not in str(caught.value)


def test_names_may_be_written_as_torch_writes_them() -> None:
    recipe = parse_config(TrainConfig, {"optimizer": {"name": "AdamW"}, "amp": "BF16"})
    assert (recipe.optimizer.name, recipe.amp) == ("adamw", "bf16")


def test_yaml_reads_off_as_false() -> None:
    assert parse_config(TrainConfig, {"amp": False}).amp == "off"


def test_every_setting_says_what_it_is() -> None:
    for config in (DatasetConfig, TrainConfig):
        assert [name for name, field in config.model_fields.items() if not field.description] == []


def test_package_config_and_hooks_are_free_of_torch() -> None:
    modules = "netwright_training, netwright_training.config, netwright_training.plugin, netwright_training.hookspecs"
    script = f"import sys, {modules}; netwright_training.TrainConfig(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_home_folder_is_expanded() -> None:
    assert parse_config(DatasetConfig, {"root": "~/data"}).root == Path.home() / "data"


def test_the_digits_cases_recipe_is_valid() -> None:
    manifest = yaml.safe_load((Path(__file__).parents[3] / "cases/digits_cnn/manifest.yaml").read_text())
    assert parse_config(DatasetConfig, manifest["data"], path="data").name == "digits"
    assert parse_config(TrainConfig, manifest["train"], path="train").epochs > 0
