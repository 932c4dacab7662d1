"""MNIST: 70,000 handwritten digits of 28 x 28 pixels, in idx-ubyte files."""

from torch import Tensor
from torchvision.datasets import MNIST

from netwright_training.config import DatasetConfig
from netwright_training.datasets.torchvision_files import PublishedImages, load_published
from netwright_training.splits import Splits


def load_mnist(config: DatasetConfig, seed: int) -> Splits:
    """Inputs of shape (1, 28, 28) from `root/MNIST/raw/`, where torchvision keeps them.

    Raises:
        UserError: The files are absent or damaged, or cannot be downloaded.
    """
    published = PublishedImages(
        dataset_class=MNIST,
        files=[
            f"MNIST/raw/{part}-{content}-ubyte"
            for part in ("train", "t10k")
            for content in ("images-idx3", "labels-idx1")
        ],
        to_bytes=_to_bytes,
        mean=(0.1307,),
        std=(0.3081,),
    )
    return load_published(config, seed, published)


def _to_bytes(dataset: MNIST) -> tuple[Tensor, Tensor]:
    return dataset.data.unsqueeze(1), dataset.targets
