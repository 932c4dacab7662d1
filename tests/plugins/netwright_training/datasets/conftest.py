"""Image files to load."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WriteImages = Callable[..., None]


@pytest.fixture
def write_images() -> WriteImages:
    """`write_images(folder, count, suffix)` writes so many images of random noise in different sizes and modes."""

    def write(folder: Path, count: int, suffix: str = ".png") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(len(str(folder)))
        for number in range(count):
            size = (int(random.integers(9, 20)), int(random.integers(9, 20)), 3)
            image = Image.fromarray(random.integers(0, 256, size, dtype=np.uint8))
            if number % 2:
                image = image.convert("L")
            image.save(folder / f"{number:03}{suffix}")

    return write
