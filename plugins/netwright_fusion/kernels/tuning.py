"""Which of a kernel's configurations is fastest on this machine's GPU, measured in a child process.

The child (`python -m netwright_fusion.kernels.tuning`) gets sources and the layouts of their inputs as JSON, and
answers with a line per source as it goes: one that crashes the driver, or asks for more than the GPU has, costs only
itself and what would have come after it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx

from netwright_fusion.graph import size_hint, value
from netwright_fusion.kernels.loading import load

REPEATS = 20
WARM_UP = 3
CACHE_BYTES = 256 << 20
"""Written before each timed call, so that inputs come from memory as they would in a large model."""
LONGEST_S = 240.0

_known: dict[str, tuple[float | None, ...]] = {}
"""Measurements by what was measured: the same kernel is asked for several times in one run."""


def is_tunable(core: fx.Node) -> bool:
    """Whether a node's kernel would run on a GPU that is here."""
    return bool(value(core).device.type == "cuda" if isinstance(value(core), torch.Tensor) else False)


def fastest(sources: Sequence[tuple[str, str]], inputs: Sequence[fx.Node]) -> int:
    """The number of the fastest of several sources of one kernel; 0 where none could be measured.

    Args:
        sources: Texts, each with the name of its wrapper.
        inputs: The nodes that go in; sizes are those of the capture.
    """
    request = {"sources": list(sources), "inputs": [_layout(node) for node in inputs]}
    key = json.dumps(request)
    if key not in _known:
        _known[key] = _measured(key, len(sources))
    times = {number: time for number, time in enumerate(_known[key]) if time is not None}
    return min(times, key=lambda number: times[number]) if times else 0


def _measured(request: str, count: int) -> tuple[float | None, ...]:
    """Milliseconds per source; None for what failed or never had its turn."""
    command = [sys.executable, "-m", "netwright_fusion.kernels.tuning"]
    try:
        answer = subprocess.run(command, input=request, capture_output=True, text=True, timeout=LONGEST_S, check=False)
        output = answer.stdout
    except subprocess.TimeoutExpired as late:
        output = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
    lines = [json.loads(line) for line in output.splitlines() if line.endswith("}")]
    times = {line["number"]: line["ms"] for line in lines}
    return tuple(times.get(number) for number in range(count))


def _layout(node: fx.Node) -> dict[str, Any]:
    tensor = value(node)
    return {
        "shape": [size_hint(size) for size in tensor.shape],
        "stride": [size_hint(stride) for stride in tensor.stride()],
        "dtype": str(tensor.dtype).removeprefix("torch."),
    }


def _answer(request: Mapping[str, Any]) -> None:
    torch.manual_seed(0)
    inputs = [_tensor(layout) for layout in request["inputs"]]
    for number, (source, name) in enumerate(request["sources"]):
        try:
            milliseconds: float | None = _time(load(source, name), inputs)
        except Exception as error:  # whatever Triton raises for a configuration that this GPU cannot run
            sys.stderr.write(f"{name}: {error}\n")
            milliseconds = None
        sys.stdout.write(json.dumps({"number": number, "ms": milliseconds}) + "\n")
        sys.stdout.flush()


def _tensor(layout: Mapping[str, Any]) -> torch.Tensor:
    kind: torch.dtype = getattr(torch, layout["dtype"])
    shape = layout["shape"]
    drawn = torch.randn(shape, device="cuda") if kind.is_floating_point else torch.randint(0, 2, shape, device="cuda")
    return torch.empty_strided(shape, layout["stride"], dtype=kind, device="cuda").copy_(drawn)


def _time(function: Any, inputs: Sequence[torch.Tensor]) -> float:
    """The median of milliseconds between two events around a call."""
    flush = torch.empty(CACHE_BYTES, dtype=torch.uint8, device="cuda")
    for _ in range(WARM_UP):
        function(*inputs)
    times = []
    for _ in range(REPEATS):
        flush.zero_()
        before, after = (torch.Event("cuda", enable_timing=True) for _ in range(2))
        before.record()
        function(*inputs)
        after.record()
        torch.cuda.synchronize()
        times.append(float(before.elapsed_time(after)))
    return sorted(times)[REPEATS // 2]


if __name__ == "__main__":
    _answer(json.load(sys.stdin))
