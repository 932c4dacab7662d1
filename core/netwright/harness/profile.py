"""Profiling a subject: which operators and kernels ran, how long, in which types, and how much memory they held."""

from pathlib import Path
from typing import Any

import torch
from torch.autograd.profiler import profile as Profiler

from netwright.cases import Inputs
from netwright.harness.draws import all_tensors
from netwright.harness.protocol import Number, OpTime, Profiled
from netwright.harness.subject import Subject

TYPE_NAMES = {"float": "float32", "double": "float64", "c10::Half": "float16", "c10::BFloat16": "bfloat16"}
"""How the profiler calls floating-point types."""


def profile_calls(subject: Subject, inputs: Inputs, calls: int, trace: Path | None) -> Profiled:
    """Profile some calls on the same inputs.

    Args:
        trace: Where to write the Chrome trace, or None.

    Raises:
        StageError: A call raised.
    """
    recorded = _record(subject, inputs, calls)
    labels = {event.name() for event in _events(recorded) if event.is_user_annotation()}
    if trace is not None:
        trace.parent.mkdir(parents=True, exist_ok=True)
        recorded.export_chrome_trace(str(trace))  # type: ignore[no-untyped-call]
    rows: list[Any] = recorded.key_averages()  # type: ignore[no-untyped-call]
    ops = [
        OpTime(
            name=row.key,
            device=str(row.device_type).rpartition(".")[2].lower(),
            calls=row.count,
            self_ms=(row.self_device_time_total if _on_gpu(row) else row.self_cpu_time_total) / 1e3,
            total_ms=(row.device_time_total if _on_gpu(row) else row.cpu_time_total) / 1e3,
            annotation=row.key in labels,
        )
        for row in rows
        if row.key != "[memory]"
    ]
    ops.sort(key=lambda op: op.self_ms, reverse=True)
    return Profiled(
        profiled_calls=calls,
        ops=tuple(ops),
        dtypes=_types(recorded),
        flops=sum(row.flops or 0 for row in rows) // calls,
        allocated_bytes=_peak(recorded) if subject.device.type == "cpu" else None,
    )


def peak_memory(subject: Subject, inputs: Inputs) -> Number:
    """Weights, buffers and inputs plus the most that one call holds beyond what was there before it, in bytes.

    What libraries take without torch's allocators (convolution workspaces on the CPU, say) is not seen.

    Raises:
        StageError: The call raised.
    """
    held = [*subject.model.parameters(), *subject.model.buffers(), *all_tensors(inputs)]
    storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in held}
    if subject.device.type == "cuda":
        torch.cuda.synchronize(subject.device)
        before = torch.cuda.memory_allocated(subject.device)
        torch.cuda.reset_peak_memory_stats(subject.device)
        subject.call(inputs)
        torch.cuda.synchronize(subject.device)
        taken = torch.cuda.max_memory_allocated(subject.device) - before
    else:
        taken = _peak(_record(subject, inputs, 1))
    return Number(value=sum(storages.values()) + taken)


def _record(subject: Subject, inputs: Inputs, calls: int) -> Profiler:
    on_gpu = "cuda" if subject.device.type == "cuda" else None
    # torch.profiler is a face over this one that imports Inductor, which takes seconds in every process
    recorded = Profiler(use_device=on_gpu, record_shapes=True, profile_memory=True, with_flops=True, use_kineto=True)
    with recorded:
        for _ in range(calls):
            subject.call(inputs)
        subject.clock.synchronize()
    return recorded


def _on_gpu(row: Any) -> bool:
    return str(row.device_type).endswith("CUDA")


def _events(recorded: Profiler) -> list[Any]:
    assert recorded.kineto_results is not None
    return recorded.kineto_results.events()


def _types(recorded: Profiler) -> dict[str, int]:
    """Per floating-point type, the number of operators with an argument of it."""
    counts: dict[str, int] = {}
    for event in _events(recorded):
        for name in {TYPE_NAMES[dtype] for dtype in event.dtypes() if dtype in TYPE_NAMES}:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _peak(recorded: Profiler) -> int:
    """The highest level of memory over a profile, counted from its start, in bytes."""
    level = highest = 0
    for event in sorted((event for event in _events(recorded) if event.name() == "[memory]"), key=_start):
        level += event.nbytes()
        highest = max(highest, level)
    return highest


def _start(event: Any) -> int:
    return int(event.start_ns())
