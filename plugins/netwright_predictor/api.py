"""`predict`: what a transformers model costs, in one call."""

from collections.abc import Mapping
from typing import Any, Literal

from netwright.config import parse_config
from netwright_predictor.deployment import Deployment, Kernel
from netwright_predictor.prediction import Prediction
from netwright_predictor.predictor import Predictor
from netwright_predictor.subject import read_subject
from netwright_predictor.totals.conventions import Attention
from netwright_predictor.totals.formats import Quantization
from netwright_predictor.totals.hardware import Hardware, find_hardware
from netwright_predictor.totals.parallel import Parallel
from netwright_predictor.tracing.sizes import Phase


def predict(
    model: object,
    *,
    phase: Phase = "prefill",
    batch_size: int = 1,
    sequence_length: int | None = None,
    context_length: int | None = None,
    encoder_length: int | None = None,
    image: bool = False,
    dtype: str | None = None,
    attention: Attention = "full",
    operations: Literal["matmul", "all"] = "matmul",
    unit: Literal["FLOP", "MAC"] = "FLOP",
    head: Literal["all", "last"] = "all",
    kernel: Kernel = "sdpa",
    hardware: str | Mapping[str, Any] | Hardware | None = None,
    parallel: Mapping[str, Any] | Parallel | None = None,
    quantization: Mapping[str, Any] | Quantization | None = None,
    optimizer: str = "adamw",
    checkpointing: bool = False,
    check: bool = False,
    constants: Mapping[str, Any] | None = None,
) -> Prediction:
    """Predict what a transformers model costs, from its config alone: no weights, no hub, no language model.

    Args:
        model: A config object, a model type ("llama"), the path of a config.json or its folder, or a case `hf:...`.
        phase: A forward over a prompt, one over new tokens after a context, or a training step.
        batch_size: Sequences.
        sequence_length: New tokens per sequence; by default as many as the model was made for, else 512; 1 in decode.
        context_length: Tokens per sequence that the cache holds already, in decode only; by default all others that the
            model was made for.
        encoder_length: Tokens that an encoder reads, where there is one; by default as many as the decoder.
        image: Whether an image goes before each text, where the model takes images in texts; lengths are those of the
            text.
        dtype: What it computes in.
        attention: Which pairs of query and key count as FLOPs.
        operations: What counts as FLOPs.
        unit: What a multiply-accumulate counts.
        head: Which positions go through the head.
        kernel: How attention is computed where memory is concerned.
        hardware: A preset, or a device's numbers; None gives no latency.
        parallel: Degrees of parallelism; None for one device. `batch_size` counts the sequences of all devices.
        quantization: What is stored in which number format.
        optimizer: Of a training step.
        checkpointing: Whether a training step recomputes layers instead of keeping their activations.
        check: Whether to count the same forward with torch's counter, too.
        constants: Overrides of config fields, where `model` is a type or a path.

    Raises:
        UserError: Something of this is wrong.
        NetwrightError: The model cannot be built without weights, or its forward fails.
    """
    deployment = parse_config(
        Deployment,
        {
            "phase": phase,
            "dtype": dtype,
            "image": image,
            "convention": {"attention": attention, "operations": operations, "unit": unit, "head": head},
            "kernel": kernel,
            "optimizer": optimizer,
            "checkpointing": checkpointing,
            "quantization": dict(quantization or {}),
            "parallel": dict(parallel or {}),
        },
    )
    device = find_hardware(hardware)
    subject = read_subject(model, constants)
    predictor = Predictor(subject, deployment, sequence=sequence_length, encoder=encoder_length)
    sizes = predictor.sizes(batch_size, sequence_length, context_length, encoder_length)
    return predictor.predict(sizes, hardware=device, check=check)
