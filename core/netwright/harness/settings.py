"""Torch's settings that change how fast or how precisely it computes; arms are compared only where they are equal."""

import torch

MATMUL = "float32_matmul_precision"
THREADS = "threads"


def current_settings() -> dict[str, str]:
    """Thread counts and precision flags in force, by name."""
    matmul, convolution = torch.backends.cuda.matmul, torch.backends.cudnn
    values = {
        THREADS: torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        MATMUL: _matmul_precision(),
        "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": convolution.benchmark,
        "cudnn_fp32": getattr(getattr(convolution, "conv", None), "fp32_precision", None),
        "fp16_reduced_precision": matmul.allow_fp16_reduced_precision_reduction,
        "bf16_reduced_precision": matmul.allow_bf16_reduced_precision_reduction,
        "flush_denormal": float(torch.tensor(1e-40) * 1.0) == 0.0,
    }
    return {name: str(value) for name, value in values.items()}


def _matmul_precision() -> str:
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # torch has no one word for it once single libraries were set
        return "set per library"
