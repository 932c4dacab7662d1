"""ImageNet's folders: numbered synsets, `val/` for the final figures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from PIL import Image

from netwright.errors import UserError
from netwright_training import load_dataset

WriteImages = Callable[..., None]


def test_folders_of_synsets_are_read(tmp_path: Path, write_images: WriteImages) -> None:
    for synset in ("n01440764", "n01443537", "n01484850"):
        write_images(tmp_path / "train" / synset, 6, ".JPEG")
        write_images(tmp_path / "val" / synset, 2, ".JPEG")
    splits = load_dataset({"name": "imagenet", "root": tmp_path, "image_size": 32}, seed=0)
    lengths = [len(cast("Any", split)) for split in (splits.train, splits.validation, splits.test)]
    assert (lengths, splits.classes) == ([16, 2, 6], ("n01440764", "n01443537", "n01484850"))
    assert [label for _, label in cast("Any", splits.test)] == [0, 0, 1, 1, 2, 2]
    assert cast("Any", splits.test)[0][0].shape == (3, 32, 32)


def test_the_shorter_side_is_resized_to_256_for_a_crop_of_224(tmp_path: Path) -> None:
    image = Image.new("RGB", (256, 512))
    image.paste((255, 255, 255), (0, 0, 16, 512))  # exactly what the crop cuts off on the left
    for part in ("train", "val"):
        (tmp_path / part / "n01440764").mkdir(parents=True)
        for number in range(6):
            image.save(tmp_path / part / "n01440764" / f"{number}.png")
    splits = load_dataset({"name": "imagenet", "root": tmp_path}, seed=0)
    cropped, _ = cast("Any", splits.test)[0]
    assert cropped.shape == (3, 224, 224)
    assert torch.equal(cropped.amax((1, 2)), cropped.amin((1, 2)))


def test_other_layouts_say_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no folder .*train; lay ImageNet out as ROOT/train/<synset>/\*.JPEG"):
        load_dataset({"name": "imagenet", "root": tmp_path}, seed=0)
