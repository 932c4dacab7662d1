"""The sizes of a call: what a prediction is made for, and what a trace is made at."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from netwright.config import Config

Phase = Literal["prefill", "decode", "train"]


class Sizes(Config):
    """How much goes through a model at once."""

    batch: int = Field(default=1, ge=1)
    """Sequences, images or recordings (B)."""
    sequence: int = Field(default=512, ge=1)
    """New tokens per sequence (S)."""
    context: int = Field(default=0, ge=0)
    """Tokens per sequence that the cache holds already (C)."""
    encoder: int = Field(default=0, ge=0)
    """Positions per sequence that an encoder reads (E); 0 for models without one, and where its input has a fixed
    size."""

    @property
    def variables(self) -> dict[str, int]:
        """The sizes as a `Polynomial` takes them."""
        return {"B": self.batch, "S": self.sequence, "C": self.context, "E": self.encoder}

    @classmethod
    def of(cls, variables: Mapping[str, int]) -> "Sizes":
        """The sizes with these `variables`."""
        return cls(
            batch=variables["B"],
            sequence=variables["S"],
            context=variables.get("C", 0),
            encoder=variables.get("E", 0),
        )
