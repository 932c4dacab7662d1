"""The scene: what is known about a model when one of its inputs is drawn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transformers import PretrainedConfig

from netwright_predictor.tracing.sizes import Sizes

SAMPLES = 16_000
"""Samples of a recording where no number is asked for: one second."""
GRID = 12
"""Rows and columns of the patches that a vision tower without a fixed image size is given; towers that merge patches by
two or three, or twice by two, leave none over."""
TOKENS = 16
"""Tokens of a text beside images, where the text is not what the model mainly reads."""
TOWERS = ("vision_config", "backbone_config")
"""What configurations call the part that reads images."""


@dataclass(frozen=True)
class Scene:
    """What is known about a model when one of its inputs is drawn.

    Attributes:
        config: The model's.
        sizes: How much goes through it.
        main: Its main input.
        reads_twice: Whether an encoder reads the main input and a decoder tokens of its own.
        parameters: Of its forward, by name.
        beside: What goes with an image where the main input is a text that holds one; None where it holds none.
    """

    config: PretrainedConfig
    sizes: Sizes
    main: str
    reads_twice: bool
    parameters: Mapping[str, Any]
    beside: tuple[str, ...] | None = None

    @property
    def batch(self) -> int:
        """Sequences, images or recordings."""
        return self.sizes.batch

    @property
    def read(self) -> int:
        """How much of its main input the model reads: tokens, samples or frames."""
        return self.sizes.encoder if self.reads_twice and self.sizes.encoder else self.sizes.sequence

    @property
    def vision(self) -> Any:
        """The part of the config that governs images; the whole where there is none."""
        return first(self.config, *TOWERS) or self.config


def first(config: Any, *names: str) -> Any:
    """The first of these settings that is there and not None."""
    return next((value for name in names if (value := getattr(config, name, None)) is not None), None)


def deep(config: Any, *names: str) -> Any:
    """The first of these settings that the config has, or a part of it, the outer ones first."""
    return next((value for part in parts(config) if (value := first(part, *names)) is not None), None)


def parts(config: Any) -> Iterator[Any]:
    """A config and all configs that it holds, level by level."""
    level = [config]
    while level:
        yield from level
        inner = (getattr(each, name, None) for each in level for name in getattr(each, "sub_configs", {}))
        level = [each for each in inner if each is not None]
