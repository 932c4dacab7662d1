"""Closures: functions that run in the caller's own process, for convenience; what they yield is not to be trusted."""

from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch.profiler import profile

from netwright.cases import CaseOptions
from netwright.cases.seeding import seeded
from netwright.harness.checks import Call
from netwright.harness.clock import Clock
from netwright.harness.eviction import Eviction
from netwright.harness.examination import Examination
from netwright.harness.judge import Judge
from netwright.harness.observe import as_tensor, flatten, leaf_facts
from netwright.harness.protocol import Draw
from netwright.harness.settings import THREADS, current_settings
from netwright.harness.statistics import median_interval
from netwright.harness.timing import Timing, TimingConfig
from netwright.harness.verify import note_call
from netwright.machine import usable_cores

Closure = Callable[[], object]


def time_closure(label: str, closure: Closure, config: TimingConfig, device: str, *, seed: int) -> Timing:
    """The latency of a function in this process, after a warm-up; whatever it raises goes through."""
    clock = Clock()
    clock.bind(torch.device(device))
    evict = Eviction(torch.device(device)) if config.cache == "cold" else None
    first_ms, output = clock.time(closure)
    started = clock.seconds()
    while clock.seconds() - started < config.warm_up_seconds:
        clock.time(closure)
    times: list[float] = []
    started = clock.seconds()
    while len(times) < config.max_rounds:
        if evict:
            evict()
        times.append(clock.time(closure)[0])
        if len(times) >= config.min_rounds and clock.seconds() - started >= config.max_seconds:
            break
    tensors = [leaf for leaf in flatten(output)[1] if isinstance(leaf, torch.Tensor)]
    settings = current_settings()
    return Timing(
        label=label,
        times_ms=tuple(times),
        median_ms=median(times),
        ci_ms=median_interval(times, confidence=config.confidence, seed=seed),
        confidence=config.confidence,
        calls=len(times),
        cache=config.cache,
        device=device,
        threads=int(settings.pop(THREADS)),
        precision=settings,
        batch_size=tensors[0].shape[0] if tensors and tensors[0].dim() else 1,
        first_call_s=first_ms / 1e3,
        memory_not_measured="it runs in the caller's process",
    )


def examine_closure(
    label: str, closure: Closure, case: str, options: CaseOptions, config: TimingConfig, *, seed: int
) -> Examination:
    """Hold a function's output against what the case's module returns on the shared inputs drawn from `seed`.

    Raises:
        UserError: The case is wrong.
        JudgeError: The unmodified module cannot be called.
    """
    examination = Examination(label)
    draw = Draw(seed=seed, weight_seed=seed)
    threads, limit = config.threads or usable_cores(), config.call_timeout_s
    with Judge(case, options, threads=threads, seed=seed, call_timeout=limit) as judge:
        with seeded(seed):
            structure, leaves = flatten(closure())
        facts = tuple(leaf_facts(leaf, {}) for leaf in leaves)
        tensors = {f"output {index}": as_tensor(leaf).cpu() for index, leaf in enumerate(leaves)}
        note_call(
            examination, Call(draw, judge.expected(draw), structure, facts, None, tensors, judge.loaded.tolerance)
        )
    return examination


def trace_closure(closure: Closure, path: Path) -> None:
    """Write a Chrome trace of one call."""
    with profile() as recorded:
        closure()
    path.parent.mkdir(parents=True, exist_ok=True)
    recorded.export_chrome_trace(str(path))
