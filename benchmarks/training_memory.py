"""Predicted training memory beside what torch's MemTracker measures, for a Llama of a billion parameters in bfloat16.

MemTracker runs forward, loss, backward and AdamW's step on fake tensors at full size, twice, so that the second step
finds the optimizer's state; the greatest moment of both counts. AdamW works on all parameters at once (`foreach`),
which is torch's default on a GPU; fake tensors on the CPU have to be told.

    python benchmarks/training_memory.py
"""

import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
import transformers
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from transformers import LlamaConfig, LlamaForCausalLM

from _results import describe_machine, write_results
from netwright_predictor import predict

KERNELS = ("sdpa", "eager")
SIZES = ((1, 512), (1, 2048), (8, 512), (4, 2048), (2, 4096))
"""Sequences and tokens per sequence."""


def make_config() -> LlamaConfig:
    """The shape of Llama-3.2-1B."""
    return LlamaConfig(
        vocab_size=128256,
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=16,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=64,
        max_position_embeddings=131072,
        tie_word_embeddings=True,
        dtype="bfloat16",
    )


def measure(config: LlamaConfig, kernel: str, batch: int, length: int, *, checkpointing: bool = False) -> int:
    """The greatest number of bytes during two training steps, as MemTracker counts them."""
    with FakeTensorMode():
        torch.set_default_dtype(torch.bfloat16)
        try:
            model = LlamaForCausalLM._from_config(config, attn_implementation=kernel).train()
        finally:
            torch.set_default_dtype(torch.float32)
        if checkpointing:
            model.gradient_checkpointing_enable()
        optimizer = torch.optim.AdamW(model.parameters(), foreach=True)
        tracker = MemTracker()
        tracker.track_external(model, optimizer)
        with tracker:
            tokens = torch.zeros(batch, length, dtype=torch.long)
            for _ in range(2):
                _step(model, optimizer, tokens)
                tracker.reset_mod_stats()
        return sum(each["Total"] for each in tracker.get_tracker_snapshot("peak").values())


def _step(model: nn.Module, optimizer: torch.optim.Optimizer, tokens: torch.Tensor) -> None:
    loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def compare() -> Iterator[dict[str, Any]]:
    """A row per attention and size: bytes predicted and measured, and how long each took."""
    config = make_config()
    for kernel, (batch, length) in product(KERNELS, SIZES):
        started = time.perf_counter()
        predicted = predict(config, phase="train", batch_size=batch, sequence_length=length, kernel=kernel)
        between = time.perf_counter()
        measured = measure(config, kernel, batch, length)
        yield {
            "attention": kernel,
            "batch": batch,
            "length": length,
            "predicted_bytes": predicted.memory.total_bytes,
            "measured_bytes": measured,
            "ratio": round(predicted.memory.total_bytes / measured, 5),
            "peak": predicted.memory.peak,
            "predicting_s": round(between - started, 2),
            "measuring_s": round(time.perf_counter() - between, 2),
        }


def main() -> None:
    """Measure, print and store."""
    transformers.logging.set_verbosity_error()
    rows = []
    for row in compare():
        print(row, flush=True)
        rows.append(row)
    worst = max(abs(row["ratio"] - 1) for row in rows)
    print(f"largest difference: {worst:.2%}")
    write_results("training-memory", {"machine": describe_machine(), "rows": rows, "largest_difference": worst})


if __name__ == "__main__":
    main()
