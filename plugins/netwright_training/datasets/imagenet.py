"""ImageNet in its usual folders."""

from netwright_training.config import DatasetConfig
from netwright_training.datasets.image_folder import existing_root, split_by_folders
from netwright_training.splits import Splits

LAYOUT = (
    "lay ImageNet out as ROOT/train/<synset>/*.JPEG and ROOT/val/<synset>/*.JPEG (it cannot be downloaded from here)"
)


def load_imagenet(config: DatasetConfig, seed: int) -> Splits:
    """RGB images of shape (3, image_size, image_size); at 224 the shorter side is first resized to 256 pixels.

    The test split is `val/`, the images that published accuracies are about; the validation split is drawn from
    `train/`. Classes are numbered in the order of the synsets' identifiers, as published weights expect.

    Raises:
        UserError: The folders are not as expected.
    """
    root = existing_root(config, LAYOUT)
    return split_by_folders(config, root, seed, resize=round(config.image_size * 256 / 224), layout=LAYOUT)
