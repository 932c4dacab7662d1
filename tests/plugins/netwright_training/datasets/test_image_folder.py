"""Folders of images become splits, and bad files are named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from PIL import Image
from torch import nn

from netwright.errors import UserError
from netwright_training import Splits, evaluate, load_dataset, train
from netwright_training.datasets.image_files import CHANNEL_MEANS, CHANNEL_SPREADS

WriteImages = Callable[..., None]


def load(root: Path, **values: object) -> Splits:
    return load_dataset({"name": "image_folder", "root": root, "image_size": 8, **values}, seed=0)


def sizes(splits: Splits) -> list[int]:
    return [len(cast("Any", split)) for split in (splits.train, splits.validation, splits.test)]


def labels(split: object) -> list[int]:
    return [label for _, label in cast("Any", split)]


def test_one_folder_per_class_is_split_by_the_seed(tmp_path: Path, write_images: WriteImages) -> None:
    for name in ("cat", "dog"):
        write_images(tmp_path / name, 10)
    (tmp_path / ".cache").mkdir()
    splits = load(tmp_path)
    image, _ = cast("Any", splits.train)[0]
    assert (sizes(splits), splits.classes, splits.num_classes) == ([14, 2, 4], ("cat", "dog"), 2)
    assert image.shape == splits.input_shape == (3, 8, 8)
    assert [labels(part).count(0) for part in (splits.train, splits.validation, splits.test)] == [7, 1, 2]


def test_the_folders_test_split_wins_over_the_seeds(tmp_path: Path, write_images: WriteImages) -> None:
    for part, count in (("train", 6), ("val", 3), ("test", 2)):
        for name in ("cat", "dog"):
            write_images(tmp_path / part / name, count, ".jpg")
    assert sizes(load(tmp_path)) == [12, 6, 4]


def test_without_a_test_folder_val_is_for_the_final_figures(tmp_path: Path, write_images: WriteImages) -> None:
    for name in ("cat", "dog"):
        write_images(tmp_path / "train" / name, 10)
    write_images(tmp_path / "val" / "dog", 3)
    splits = load(tmp_path)
    assert sizes(splits) == [18, 2, 3]
    assert labels(splits.test) == [1, 1, 1]  # though val/ has no other class


def test_pixels_are_scaled_and_standardised(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.new("RGB", (12, 16), (255, 0, 51)).save(tmp_path / name / f"{number}.png")
    image, _ = cast("Any", load(tmp_path).train)[0]
    expected = [
        (value - mean) / std for value, mean, std in zip((1, 0, 0.2), CHANNEL_MEANS, CHANNEL_SPREADS, strict=True)
    ]
    assert torch.allclose(image, torch.tensor(expected).view(3, 1, 1).expand(3, 8, 8), atol=1e-5)


def test_images_can_be_trained_on(tmp_path: Path, write_images: WriteImages) -> None:
    for name in ("cat", "dog"):
        write_images(tmp_path / name, 8)
    splits = load(tmp_path)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    result = train(model, splits, {"epochs": 1, "batch_size": 4, "workers": 1, "device": "cpu"}, seed=0)
    assert len(result.history) == 1
    assert 0 <= evaluate(model, splits.test, metrics=["accuracy"])["accuracy"] <= 1


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n broken"])
def test_an_unreadable_image_is_named(tmp_path: Path, write_images: WriteImages, content: bytes) -> None:
    for name in ("cat", "dog"):
        write_images(tmp_path / name, 5)
    for path in (tmp_path / "cat").iterdir():
        path.write_bytes(content)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    with pytest.raises(UserError, match=r"cannot read image .*cat/\d+.png; .*; replace or remove it"):
        train(model, load(tmp_path), {"epochs": 1, "device": "cpu"}, seed=0)


def test_a_truncated_image_is_named(tmp_path: Path, write_images: WriteImages) -> None:
    for name in ("cat", "dog"):
        write_images(tmp_path / name, 5, ".jpg")
    for path in tmp_path.glob("*/*.jpg"):
        path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(UserError, match=r"cannot read image"):
        evaluate(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), load(tmp_path).test)


def test_missing_and_strange_folders_say_what_is_expected(tmp_path: Path, write_images: WriteImages) -> None:
    with pytest.raises(UserError, match=r"dataset 'image_folder' needs a folder; set data.root, and lay images out"):
        load_dataset({"name": "image_folder"}, seed=0)
    with pytest.raises(UserError, match=r"no folder .*absent; dataset 'image_folder' is looked for there; lay images"):
        load(tmp_path / "absent")
    with pytest.raises(UserError, match="no class folders in"):
        load(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(UserError, match="no images in"):
        load(tmp_path)
    write_images(tmp_path / "train" / "cat", 4)
    with pytest.raises(UserError, match=r"no folder .*val; lay images out"):
        load(tmp_path)
    write_images(tmp_path / "val" / "bird", 1)
    with pytest.raises(UserError, match=r"val/bird is a class without training images"):
        load(tmp_path, validation_fraction=0.5)
