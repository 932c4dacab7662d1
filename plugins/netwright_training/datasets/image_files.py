"""Image files in one folder per class: reading them, and errors that name the file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets import ImageFolder
from torchvision.transforms import functional as F

from netwright.errors import UserError

CHANNEL_MEANS = [0.485, 0.456, 0.406]
CHANNEL_SPREADS = [0.229, 0.224, 0.225]


class ImageFiles(ImageFolder):
    """Images of `folder/<class>/`, RGB, resized and cropped to a square and standardised as ImageNet models expect.

    Args:
        folder: Holds one folder per class.
        image_size: Height and width of the result in pixels.
        resize: Length in pixels to which the shorter side is brought before the central crop.
        classes: The classes that there may be; null takes the folders' names, sorted.
        layout: What the folder should look like, for messages.

    Raises:
        UserError: The folder is missing or empty, or holds a class that is not among `classes`.
    """

    def __init__(
        self, folder: Path, *, image_size: int, resize: int, layout: str, classes: Sequence[str] | None = None
    ) -> None:
        self.layout = layout
        self.known_classes = classes
        super().__init__(str(folder), transform=_ToTensor(image_size, resize), loader=read_image, allow_empty=True)
        if not self.samples:
            raise UserError(f"no images in {folder}", remedy=layout)

    def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
        """The classes and their numbers."""
        folder = Path(directory)
        if not folder.is_dir():
            raise UserError(f"no folder {folder}", remedy=self.layout)
        found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        classes = list(self.known_classes) if self.known_classes is not None else found
        if strange := sorted(set(found) - set(classes)):
            raise UserError(f"{folder / strange[0]} is a class without training images", remedy=self.layout)
        if not found:
            raise UserError(f"no class folders in {folder}", remedy=self.layout)
        return classes, {name: number for number, name in enumerate(classes)}

    @property
    def labels(self) -> Tensor:
        """The class of each image, shape (images,)."""
        return torch.tensor(self.targets)


@dataclass(frozen=True)
class _ToTensor:
    image_size: int
    resize: int

    def __call__(self, image: Image.Image) -> Tensor:
        """Resize, crop at the centre, scale to [0, 1], standardise: the steps that published accuracies rest on."""
        # torchvision's annotations know tensors only, here as in to_tensor.
        square: Any = F.center_crop(F.resize(cast("Any", image), [self.resize]), [self.image_size])
        return F.normalize(F.to_tensor(square), CHANNEL_MEANS, CHANNEL_SPREADS)


def read_image(path: str) -> Image.Image:
    """An image file in RGB.

    Raises:
        UserError: The file is no image, or a damaged one.
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read image {path}", why=str(error).lower(), remedy="replace or remove it") from error
