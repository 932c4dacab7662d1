"""The deployment: how a model is run, whatever its sizes."""

from typing import Literal

from pydantic import field_validator

from netwright.config import Config, parse_config
from netwright_predictor.config import PredictorConfig
from netwright_predictor.totals.conventions import Convention
from netwright_predictor.totals.formats import Quantization, compute_dtype
from netwright_predictor.totals.optimizer import find_optimizer
from netwright_predictor.totals.parallel import Parallel
from netwright_predictor.tracing.sizes import Phase

Kernel = Literal["eager", "sdpa"]


class Deployment(Config):
    """How a model is run."""

    phase: Phase = "prefill"
    """A forward over a prompt, one over new tokens after a context, or a training step."""
    dtype: str | None = None
    """What it computes in; None takes the config's, or float32."""
    image: bool = False
    """Whether an image goes before each text, where the model takes images in texts."""
    convention: Convention = Convention()
    """What counts as FLOPs."""
    kernel: Kernel = "sdpa"
    """How attention is computed where memory is concerned, as `attn_implementation` of transformers."""
    optimizer: str = "adamw"
    """Of a training step."""
    checkpointing: bool = False
    """Whether a training step computes layers again instead of keeping their activations."""
    quantization: Quantization = Quantization()
    """What is stored in which number format."""
    parallel: Parallel = Parallel()
    """Over how many devices, and how."""

    @field_validator("dtype")
    @classmethod
    def _computes(cls, value: str | None) -> str | None:
        return value if value is None else compute_dtype(value)

    @field_validator("optimizer")
    @classmethod
    def _optimizes(cls, value: str) -> str:
        find_optimizer(value)
        return value


def deployment(config: PredictorConfig) -> Deployment:
    """The settings as a predictor takes them."""
    return parse_config(
        Deployment,
        {
            "phase": config.phase,
            "dtype": config.dtype,
            "image": config.image,
            "convention": {
                "attention": config.attention,
                "operations": config.operations,
                "unit": config.unit,
                "head": config.head,
            },
            "kernel": config.kernel,
            "optimizer": config.optimizer,
            "checkpointing": config.checkpointing,
            "quantization": config.quantization.model_dump(),
            "parallel": config.parallel.model_dump(),
        },
        path="agent",
    )
