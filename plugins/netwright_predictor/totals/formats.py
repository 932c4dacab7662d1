"""Number formats: the bytes of a number, fractions and scales of groups included."""

from fractions import Fraction
from math import ceil
from typing import Final

from pydantic import Field, field_validator

from netwright.config import Config
from netwright.errors import unknown_name

COMPUTE: Final = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes per number in the formats that a model computes in."""

ALIASES: Final = {"fp64": "float64", "fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "half": "float16"}


class Format(Config):
    """How numbers are stored."""

    name: str
    bits: int = Field(ge=1)
    """Of one number."""
    group: int = 0
    """Neighbours in a row that share a scale; 0 means a whole row of a matrix (an output channel) does."""
    group_bits: int = 0
    """Of what a group shares: scale and zero point; 0 where nothing is shared."""
    assumed: str
    """Which published layout this is."""

    def bytes(self, numbers: int, rows: int = 1) -> int:
        """Bytes of that many numbers in that many rows, scales included."""
        groups = 0
        if self.group_bits and rows:
            groups = rows * ceil(Fraction(numbers, rows * self.group)) if self.group else rows
        return ceil(Fraction(numbers * self.bits + groups * self.group_bits, 8))


FORMATS: Final = {
    each.name: each
    for each in (
        Format(name="float64", bits=64, assumed="IEEE 754"),
        Format(name="float32", bits=32, assumed="IEEE 754"),
        Format(name="bfloat16", bits=16, assumed="bfloat16"),
        Format(name="float16", bits=16, assumed="IEEE 754"),
        Format(name="fp8", bits=8, group_bits=32, assumed="8-bit floats, a float32 scale per row"),
        Format(name="int8", bits=8, group_bits=32, assumed="8-bit integers, a float32 scale per row"),
        Format(
            name="int4",
            bits=4,
            group=128,
            group_bits=16 + 4,
            assumed="4-bit integers in groups of 128 with a float16 scale and a 4-bit zero point (GPTQ, AWQ)",
        ),
        Format(
            name="mxfp4",
            bits=4,
            group=32,
            group_bits=8,
            assumed="OCP Microscaling Formats 1.0, section 5.2: E2M1 in blocks of 32 with an E8M0 scale",
        ),
        Format(
            name="nf4",
            bits=4,
            group=64,
            group_bits=32,
            assumed="NormalFloat in blocks of 64 with a float32 scale, no double quantization (QLoRA, section 3)",
        ),
    )
}


def compute_dtype(name: str) -> str:
    """The full name of a format that a model computes in.

    Raises:
        UserError: There is no such format.
    """
    full = ALIASES.get(name, name)
    if full not in COMPUTE:
        raise unknown_name("dtype", name, COMPUTE)
    return full


def storage_format(name: str) -> Format:
    """A format by name.

    Raises:
        UserError: There is no such format.
    """
    full = ALIASES.get(name, name)
    if full not in FORMATS:
        raise unknown_name("number format", name, FORMATS)
    return FORMATS[full]


class Quantization(Config):
    """What is stored in which number format; None keeps the dtype of the deployment."""

    weights: str | None = None
    """Matrices of linear layers and experts; embeddings, the head and vectors stay as they are, as engines do it."""
    kv: str | None = None
    """Keys and values in the cache."""
    activations: str | None = None
    """Inputs of matrix products: they decide the rate of the products, and nothing that is kept."""

    @field_validator("weights", "kv", "activations")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        return value if value is None else storage_format(value).name
