"""What it costs how threads wait: ResNet-50 and a stack of small layers, on a quiet machine and on a busy one.

Each time is the median of a process of its own, with one way of waiting; "busy" is beside another process that
multiplies matrices in as many threads.

    python benchmarks/waiting_threads.py [--repeat 3]
"""

import argparse
import json
import os
import subprocess
import sys
from statistics import median
from typing import Any

from _results import describe_machine, write_results
from netwright.threads import BRIEF_SPINNING

WAYS: dict[str, dict[str, str]] = {
    "library's default": {},
    "asleep at once": {"OMP_WAIT_POLICY": "PASSIVE"},
    "brief spinning": dict(BRIEF_SPINNING),
}
TIMED = """
import json, time, timm, torch
from statistics import median
from torch import nn
def latency(module, inputs, calls):
    times = []
    for _ in range(calls + 3):
        started = time.perf_counter()
        module(inputs)
        times.append(1e3 * (time.perf_counter() - started))
    return median(times[3:])
layers = nn.Sequential(*(nn.Sequential(nn.Linear(256, 256), nn.ReLU()) for _ in range(20)))
with torch.no_grad():
    large = latency(timm.create_model("resnet50").eval(), torch.randn(1, 3, 224, 224), 7)
    print(json.dumps({"resnet50": large, "small layers": latency(layers, torch.randn(64, 256), 50)}))
"""
BUSY = "import torch\na = torch.randn(600, 600)\nwhile True: a = (a @ a).clamp(-1, 1)"


def main() -> None:
    """Run all in turns, print a line for each, and write the dated JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for busy in (False, True):
        other = subprocess.Popen([sys.executable, "-c", BUSY]) if busy else None
        try:
            runs = [{way: run(settings) for way, settings in WAYS.items()} for _ in range(options.repeat)]
        finally:
            if other is not None:
                other.kill()
        for way in WAYS:
            times = {name: round(median(each[way][name] for each in runs), 2) for name in runs[0][way]}
            rows.append({"busy": busy, "way": way, "ms": times})
            print(rows[-1], flush=True)
    write_results("waiting-threads", {"machine": describe_machine(), "repeat": options.repeat, "rows": rows})


def run(settings: dict[str, str]) -> dict[str, float]:
    """Latencies in milliseconds by model, in a process with these settings."""
    every = {name for way in WAYS.values() for name in way}
    environment = {name: value for name, value in os.environ.items() if name not in every} | settings
    done = subprocess.run([sys.executable, "-c", TIMED], env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
