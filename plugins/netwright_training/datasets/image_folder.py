"""Images of one's own: a folder per class, split by folders or by the seed."""

from pathlib import Path

from netwright.errors import UserError
from netwright_training.config import DatasetConfig
from netwright_training.datasets.image_files import ImageFiles
from netwright_training.splits import Samples, Splits, split_indices, take

LAYOUT = "lay images out as ROOT/<class>/*.png, or as ROOT/train/<class>/*.png with val/ and perhaps test/ beside"


def load_image_folder(config: DatasetConfig, seed: int) -> Splits:
    """RGB images of shape (3, image_size, image_size), their shorter side resized, cropped at the centre.

    With `train/` and `val/` but no `test/`, `val/` is the test split and the validation split is drawn from `train/`,
    so that nothing is chosen by the images that the final figures come from. Without `train/`, the seed splits all.

    Raises:
        UserError: The folders are not as expected.
    """
    root = existing_root(config, LAYOUT)
    return split_by_folders(config, root, seed) if (root / "train").is_dir() else _split_by_seed(config, root, seed)


def existing_root(config: DatasetConfig, layout: str) -> Path:
    """`config.root` when it is a folder.

    Raises:
        UserError: It is null or no folder; the message says what is expected there.
    """
    if config.root is None:
        raise UserError(f"dataset '{config.name}' needs a folder", remedy=f"set data.root, and {layout}")
    if not config.root.is_dir():
        raise UserError(f"no folder {config.root}", why=f"dataset '{config.name}' is looked for there", remedy=layout)
    return config.root


def split_by_folders(
    config: DatasetConfig, root: Path, seed: int, *, resize: int | None = None, layout: str = LAYOUT
) -> Splits:
    """Splits from `train/`, `val/` and perhaps `test/` under `root`.

    Args:
        resize: Length in pixels that the shorter side is brought to before the crop; null takes `image_size`.
    """
    resize = resize or config.image_size
    train = ImageFiles(root / "train", image_size=config.image_size, resize=resize, layout=layout)

    def held_out(name: str) -> ImageFiles:
        return ImageFiles(
            root / name, image_size=config.image_size, resize=resize, layout=layout, classes=train.classes
        )

    val = held_out("val")
    if (root / "test").is_dir():
        return _splits(config, train, train, val, held_out("test"))
    validation, rest = split_indices(train.labels, (config.validation_fraction,), seed, name=config.name)
    return _splits(config, train, take(train, rest), take(train, validation), val)


def _split_by_seed(config: DatasetConfig, root: Path, seed: int) -> Splits:
    images = ImageFiles(root, image_size=config.image_size, resize=config.image_size, layout=LAYOUT)
    validation, test, train = split_indices(
        images.labels, (config.validation_fraction, config.test_fraction), seed, name=config.name
    )
    return _splits(config, images, take(images, train), take(images, validation), take(images, test))


def _splits(config: DatasetConfig, images: ImageFiles, train: Samples, validation: Samples, test: Samples) -> Splits:
    return Splits(
        train=train,
        validation=validation,
        test=test,
        num_classes=len(images.classes),
        input_shape=(3, config.image_size, config.image_size),
        task="classification",
        name=config.name,
        classes=tuple(images.classes),
    )
