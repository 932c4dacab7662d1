"""Settings of the predictor."""

from typing import Any, Literal

from pydantic import Field, field_validator

from netwright.config import Config
from netwright_predictor.families import Family
from netwright_predictor.totals.formats import Quantization, compute_dtype
from netwright_predictor.totals.hardware import find_hardware
from netwright_predictor.totals.optimizer import find_optimizer
from netwright_predictor.totals.parallel import Parallel
from netwright_predictor.tracing.sizes import Phase


class CoverageConfig(Config):
    """How `case=hf:all` goes about it."""

    families: tuple[Family, ...] | None = None
    """Kinds of models; null takes all."""
    types: tuple[str, ...] | None = None
    """Model types; null takes all."""
    workers: int | None = Field(default=None, ge=1)
    """Processes at once; null is one per core."""
    seconds: float = Field(default=180.0, gt=0)
    """What one type may take."""
    memory_gb: float = Field(default=8.0, gt=0)
    """What one process may allocate."""


class PredictorConfig(Config):
    """Settings of the agent `predictor`."""

    batch_size: int = Field(default=1, ge=1)
    """Sequences, images or recordings."""
    sequence_length: int | None = Field(default=None, ge=1)
    """New tokens per sequence; null is as many as the model was made for, else 512; one in phase decode."""
    context_length: int | None = Field(default=None, ge=0)
    """Phase decode: tokens per sequence that the cache holds; null is all others that the model was made for."""
    encoder_length: int | None = Field(default=None, ge=1)
    """Tokens that the encoder of an encoder-decoder reads; null is as many as new tokens."""
    image: bool = False
    """Whether an image goes before each text, where the model takes images in texts; lengths are those of the text."""
    phase: Phase = "prefill"
    """A forward over a prompt, one over new tokens after a context, or a training step."""
    dtype: str | None = None
    """What it computes in; null is the config's own, else float32."""
    attention: Literal["full", "causal", "window"] = "full"
    """Which pairs of query and key count: all, those that a causal mask admits, or those inside a window, too."""
    operations: Literal["matmul", "all"] = "matmul"
    """Matrix products, convolutions and attention, or all operations."""
    unit: Literal["FLOP", "MAC"] = "FLOP"
    """What a multiply-accumulate counts as: 2 FLOPs or 1 MAC."""
    head: Literal["all", "last"] = "all"
    """The positions that go through the head: all, or the last, as serving a prompt does."""
    kernel: Literal["eager", "sdpa"] = "sdpa"
    """How attention is computed where memory is concerned: with all its scores at once, or in blocks."""
    hardware: str | dict[str, Any] | None = "h200"
    """A preset, "cpu" for this machine, or a device's numbers; null bounds no latency."""
    parallel: Parallel = Parallel()
    """Over how many devices, and how."""
    quantization: Quantization = Quantization()
    """What is stored in fewer bits."""
    optimizer: str = "adamw"
    """Of a training step."""
    checkpointing: bool = False
    """Whether a training step computes layers again instead of keeping what is inside of them."""
    check: bool = True
    """Whether to count the same forward with torch's own counter, and compare module by module."""
    check_seconds: float = Field(default=60.0, gt=0)
    """What a count may take; one that takes longer is made at smaller sizes."""
    coverage: CoverageConfig = CoverageConfig()
    """For `case=hf:all`: which types, and how."""

    @field_validator("dtype")
    @classmethod
    def _computes(cls, value: str | None) -> str | None:
        return value if value is None else compute_dtype(value)

    @field_validator("optimizer")
    @classmethod
    def _optimizes(cls, value: str) -> str:
        find_optimizer(value)
        return value

    @field_validator("hardware")
    @classmethod
    def _exists(cls, value: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
        if value != "cpu":  # that one is measured
            find_hardware(value)
        return value
