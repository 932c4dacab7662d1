"""The harness's timing of known modules beside `torch.utils.benchmark`, warm caches, taking turns on one thread.

Each round is a turn of the worker process and a block of torch's timer in another one, in changing order; both under
the memory settings of workers. Where a process's memory happens to lie shifts its times by several per cent all the
same, so everything is repeated in fresh pairs of processes: the ratio is that of the medians over pairs, with a
bootstrap interval over pairs. It should be within 3 %.
Writes benchmarks/results/<date>-harness-timing.json.
"""

import json
import os
import random
import statistics
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import torch
from torch.utils.benchmark import Timer

from _results import describe_machine, write_results
from netwright.harness import EAGER, TimingConfig, make_case_forward
from netwright.harness.lane import TURN_MS, Lane
from netwright.harness.process import steady_variables
from netwright.harness.protocol import Draw
from netwright.harness.rounds import open_arms
from netwright.harness.statistics import ratio_of_medians

CASES = ("digits_cnn", "torchvision:resnet18")
ROUNDS = 30
PAIRS = 12
CONFIG = TimingConfig(cache="warm", threads=1)


def measure(case: str, seed: int) -> dict[str, float]:
    """Median latencies of one pair of processes, this one and a worker, in ms."""
    torch.set_num_threads(1)
    forward = make_case_forward(case)
    names = {"forward": forward.forward, "args": forward.inputs.args, "kwargs": forward.inputs.kwargs}
    timer = Timer("forward(*args, **kwargs)", globals=names, num_threads=1)
    theirs: list[float] = []

    def their_turn() -> None:
        theirs.append(timer.blocked_autorange(min_run_time=TURN_MS / 1e3).median * 1e3)

    with open_arms(case, forward.options, [EAGER], CONFIG, seed=0) as arms, torch.no_grad():
        lane = Lane(arms[0], CONFIG, Draw())
        lane.warm_up()
        settings = lane.settings
        timer.blocked_autorange(min_run_time=0.5)
        order = random.Random(seed)
        for _ in range(ROUNDS):
            turns = [their_turn, lambda: lane.take_turn(settings)]
            order.shuffle(turns)
            for turn in turns:
                turn()
        return {"harness_ms": lane.timing(seed=0).median_ms, "torch_ms": statistics.median(theirs)}


def measure_apart(case: str, seed: int) -> dict[str, float]:
    """`measure` in a fresh process."""
    command = [sys.executable, __file__, case, str(seed)]
    environment = {**os.environ, **steady_variables()}
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def compare(case: str) -> dict[str, Any]:
    """The ratio of the two ways to time one case, over fresh pairs of processes."""
    pairs = [measure_apart(case, seed) for seed in range(PAIRS)]
    ours, theirs = ([pair[key] for pair in pairs] for key in ("harness_ms", "torch_ms"))
    ratio = ratio_of_medians(ours, theirs)
    return {
        "case": case,
        "harness_ms": statistics.median(ours),
        "torch_utils_benchmark_ms": statistics.median(theirs),
        "harness_over_torch": asdict(ratio),
        "within_3_percent": abs(ratio.value - 1) <= 0.03,
        "pairs": pairs,
    }


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        rows = [compare(case) for case in CASES]
        for row in rows:
            print(row)
        facts = {"rounds": ROUNDS, "threads": CONFIG.threads, "machine": describe_machine()}
        write_results("harness-timing", {**facts, "cases": rows})
