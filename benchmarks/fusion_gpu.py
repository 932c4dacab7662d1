"""Fusion on a GPU: every generated kernel against float64 and max-autotune, and the agent on every shipped case.

    make bench-gpu
    python benchmarks/fusion_gpu.py --only softmax

Each case runs in a process of its own. Kernels are tuned, compared with the nodes that they stand for (in float64 for
accuracy, under max-autotune for time), and their traffic with the bandwidth of a large copy in the same process.
Without a CUDA device nothing is measured, and nothing is written.
"""

import argparse
import copy
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from _results import describe_machine, write_results
from fusion import row, run
from netwright.cases import CaseOptions, load_case, map_tensors
from netwright_fusion.capture import capture
from netwright_fusion.kernels.catalogue import TEMPLATES
from netwright_fusion.kernels.template import KernelCall, UnsupportedError

ROOT = Path(__file__).parents[1]
ROUNDS = 30
COPY_BYTES = 2 << 30
FLUSH_BYTES = 512 << 20
MEMORY_BOUND = frozenset({"pointwise", "rows", "cross_entropy", "windows"})
LONGEST_S = 1800.0
SHOWN = ("case", "speedup", "kernels_speedup", "reason", "kernels_error")
NOT_MEASURED = "not measured: no CUDA device"


def main() -> None:
    """Measure the cases, print a line for each, and write the dated JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="run the cases that have this in their names")
    parser.add_argument("--kernels-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print(NOT_MEASURED)
        return
    if arguments.kernels_of:
        print(json.dumps(measure_kernels(arguments.kernels_of)))
        return
    names = [path.parent.name for path in sorted((ROOT / "cases").glob("*/manifest.yaml"))]
    rows = []
    for name in names:
        if arguments.only in name:
            rows.append(measure_case(name))
            print(json.dumps({key: rows[-1].get(key) for key in SHOWN}), flush=True)
    kernels = [kernel for each in rows for kernel in each["kernels"]]
    shares = [each["share_of_copy_bandwidth"] for each in kernels if each["memory_bound"]]
    summary = {
        "agent_speedup": mean([each["speedup"] for each in rows]),
        "kernels_speedup": mean([each["kernels_speedup"] for each in rows]),
        "kernels": len(kernels),
        "kernels_wrong": [f"{each['case']}: {each['kernel']}" for each in kernels if not each["correct"]],
        "memory_bound_at_85_percent": f"{sum(share >= 0.85 for share in shares)} of {len(shares)}",
    }
    print(json.dumps(summary, indent=2))
    write_results("fusion-gpu", {"machine": describe_machine(), "summary": summary, "cases": rows})


def mean(ratios: Sequence[float | None]) -> float | None:
    """The geometric mean of what was measured."""
    known = [ratio for ratio in ratios if ratio]
    return geometric_mean(known) if known else None


def measure_case(name: str) -> dict[str, Any]:
    """The agent's result on a case, and its kernels one by one."""
    with tempfile.TemporaryDirectory() as folder:
        found = row("cases", name, *run(name, Path(folder), []))
    found = {"speedup": None, "reason": ""} | found
    command = [sys.executable, __file__, "--kernels-of", name]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
        last = child.stdout.strip().rpartition("\n")[2]
        measured = json.loads(last) if child.returncode == 0 else {"kernels_error": child.stderr[-500:]}
    except subprocess.TimeoutExpired:
        measured = {"kernels_error": f"no answer in {LONGEST_S:g} s"}
    return {"kernels": [], "kernels_speedup": None} | found | measured


@torch.no_grad()
def measure_kernels(name: str) -> dict[str, Any]:
    """Every kernel that a case becomes, and the whole of it, beside max-autotune."""
    case = load_case(name, CaseOptions(device="cuda"))
    torch.manual_seed(0)
    module = case.build().cuda().train(case.mode == "train")
    inputs = map_tensors(case.draw_inputs(0, "normal"), Tensor.cuda)
    captured = capture(module, inputs)
    plain = captured.copy()
    for template in TEMPLATES:
        refused: set[str] = set()
        while site := next((each for each in template.sites(captured.graph) if each.name not in refused), None):
            try:
                template.apply(captured.graph, site)
            except UnsupportedError:
                refused.add(site.name)
    leaves = pytree.tree_leaves((inputs.args, inputs.kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    calls = Recorder(captured.graph)
    calls.run(*tensors)
    copied = copy_bandwidth()
    kernels = [measure_kernel(name, kernel, given, copied) for kernel, given in calls.calls]
    whole = torch.compile(plain.graph, mode="max-autotune")
    ours, theirs = interleaved([lambda: captured.graph(*tensors), lambda: whole(*tensors)])
    return {"kernels": kernels, "kernels_speedup": theirs / ours, "copy_bytes_per_second": copied}


class Recorder(fx.Interpreter):
    """Runs a graph and keeps what goes into its kernels, each kernel once."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.calls: list[tuple[KernelCall, tuple[Any, ...]]] = []

    def run_node(self, n: fx.Node) -> Any:
        """Run a node."""
        if "kernel" in n.meta and all(n.meta["kernel"] is not known for known, _ in self.calls):
            given, _ = self.fetch_args_kwargs_from_env(n)
            self.calls.append((n.meta["kernel"], tuple(given)))
        return super().run_node(n)


def measure_kernel(case: str, kernel: KernelCall, given: tuple[Any, ...], copied: float) -> dict[str, Any]:
    """Accuracy by the harness's measure, time beside max-autotune, and the share of the copy bandwidth."""
    double = copy.deepcopy(kernel.reference).double()
    truth = pytree.tree_leaves(double(*(each.double() if each.is_floating_point() else each for each in given)))
    eager, ours = (pytree.tree_leaves(function(*given)) for function in (kernel.reference, kernel.function))
    excess = max(error_over_allowed(*each) for each in zip(truth, eager, ours, strict=True))
    compiled = torch.compile(kernel.reference, mode="max-autotune")
    mine, theirs = interleaved([lambda: kernel.function(*given), lambda: compiled(*given)])
    moved = sum(each.numel() * each.itemsize for each in (*given, *ours))
    return {
        "case": case,
        "kernel": kernel.name,
        "family": kernel.family,
        "config": dict(kernel.config),
        "correct": excess <= 1,
        "error_over_allowed": excess,
        "ms": mine,
        "max_autotune_ms": theirs,
        "bytes": moved,
        "memory_bound": kernel.family in MEMORY_BOUND,
        "share_of_copy_bandwidth": moved / mine * 1e3 / copied,
    }


def error_over_allowed(truth: Tensor, eager: Tensor, ours: Tensor) -> float:
    """The largest error as a multiple of what the harness allows; infinite where integers differ."""
    if not eager.is_floating_point():
        return 0.0 if torch.equal(ours, eager) else math.inf
    reference, mine = (each.double() - truth.double() for each in (eager, ours))
    floor = 8 * torch.finfo(eager.dtype).eps * truth.double().square().mean().sqrt()
    allowed = torch.maximum(4 * reference.abs().max(), floor)
    return float(mine.abs().max() / allowed.clamp(min=torch.finfo(torch.float64).tiny))


def copy_bandwidth() -> float:
    """Bytes read and written per second by a large copy."""
    source = torch.ones(COPY_BYTES // 4, device="cuda")
    target = torch.empty_like(source)
    (milliseconds,) = interleaved([lambda: target.copy_(source)])
    return 2 * COPY_BYTES / milliseconds * 1e3


def interleaved(functions: Sequence[Callable[[], Any]]) -> list[float]:
    """The median milliseconds of each function, called in turn on cold caches."""
    flush = torch.empty(FLUSH_BYTES, dtype=torch.uint8, device="cuda")
    for function in functions:
        for _ in range(3):
            function()
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, found in zip(functions, times, strict=True):
            flush.zero_()
            before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            before.record()
            function()
            after.record()
            torch.cuda.synchronize()
            found.append(before.elapsed_time(after))
    return [median(each) for each in times]


if __name__ == "__main__":
    main()
