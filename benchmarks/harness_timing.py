"""The harness's timing of known modules beside `torch.utils.benchmark`, warm caches, taking turns on one thread.

Each round is a turn of the worker process and a block of torch's timer in this process, in changing order;
medians over all rounds, their ratio with a paired bootstrap interval. They should agree within 3 %.
Writes benchmarks/results/<date>-harness-timing.json.
"""

import random

import torch
from torch.utils.benchmark import Timer

from _results import describe_machine, write_results
from netwright.harness import EAGER, TimingConfig, make_case_forward
from netwright.harness.lane import TURN_MS, Lane
from netwright.harness.protocol import Draw
from netwright.harness.rounds import open_arms
from netwright.harness.statistics import ratio_of_medians

CASES = ("digits_cnn", "torchvision:resnet18")
ROUNDS = 100
CONFIG = TimingConfig(cache="warm", threads=1)


def compare(case: str, seed: int) -> dict[str, object]:
    """Time one case both ways; latencies in ms."""
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
        ours = lane.timing(seed=0)
    ratio = ratio_of_medians(ours.times_ms, theirs)
    return {
        "case": case,
        "rounds": ROUNDS,
        "harness_ms": ours.median_ms,
        "harness_ci_ms": ours.ci_ms,
        "torch_utils_benchmark_ms": sorted(theirs)[len(theirs) // 2],
        "ratio": ratio.value,
        "ratio_ci": (ratio.low, ratio.high),
        "within_3_percent": abs(ratio.value - 1) <= 0.03,
    }


if __name__ == "__main__":
    rows = [compare(case, seed) for seed, case in enumerate(CASES)]
    for row in rows:
        print(row)
    write_results("harness-timing", {"machine": describe_machine(), "cases": rows})
