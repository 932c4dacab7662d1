"""What pruning to a budget takes: processor time and peak memory, beside plain torch-pruning bisected to the same band.

Every architecture x side is a process of its own, in one thread, sides in turn. Memory is the process's peak while it
prunes, once as a whole and once above what it held before. Where torch-pruning misses the band, nothing is compared.

    python benchmarks/pruning_cost.py [--only resnet50 ...] [--rounds 3] [--budget 0.5]
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import torch

from _results import describe_machine, write_results
from netwright.cases import CaseOptions
from netwright.cases.load import load_case
from netwright.cases.module import draw_inputs, prepare_module
from netwright.cost import count_cost
from netwright_pruning import Budget, load_method, prune_to_budget
from pruning import ARCHITECTURES, timed, with_bisection

FAMILIES = (
    "resnet50",
    "wide_resnet50_2",
    "seresnet50",
    "cspresnet50",
    "densenet121",
    "mobilenetv2_100",
    "convnext_tiny",
)
FIGURES = ("seconds", "peak_mib", "memory_mib")
SIDES = ("netwright", "torch_pruning_bisected")


def main() -> None:
    """Run all sides in turn, print a line per architecture, and write the dated JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=list(FAMILIES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=0.5)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.only[0], options.side, options.budget)))
        return
    rows = [compare(name, options.budget, options.rounds) for name in options.only]
    both = [row["ratios"] for row in rows if "ratios" in row]
    ratios = {key: round(geometric_mean(each[key] for each in both), 3) for key in FIGURES if both}
    print(f"geometric means over {len(both)} architectures: {ratios}")
    values = {"machine": describe_machine(), "budget": options.budget, "rounds": options.rounds}
    write_results("pruning-cost", values | {"geometric_means": ratios, "rows": rows})


def compare(name: str, budget: float, rounds: int) -> dict[str, Any]:
    """The medians of one architecture, and netwright's over torch-pruning's."""
    row: dict[str, Any] = {"architecture": name}
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            command = [sys.executable, __file__, "--only", name, "--side", side, "--budget", str(budget)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[side].append(json.loads(done.stdout.splitlines()[-1]))
    for side, answers in found.items():
        row[side] = {key: median(each[key] for each in answers) for key in FIGURES}
        row[side]["status"] = answers[0]["status"]
    if all(row[side]["status"] == "ok" for side in SIDES):
        ours, theirs = (row[side] for side in SIDES)
        row["ratios"] = {key: round(ours[key] / theirs[key], 3) for key in FIGURES}
    print(row, flush=True)
    return row


def measure(name: str, side: str, budget: float) -> dict[str, Any]:
    """Prune once in this process: how it ended, in how many processor seconds, with how much memory."""
    torch.set_num_threads(1)
    size = ARCHITECTURES.get(name)
    options = CaseOptions(constants={"batch_size": 1, **({"image_size": size} if size else {})})
    case = load_case(f"timm:{name}", options)
    model, inputs = prepare_module(case, seed=0).eval(), draw_inputs(case, seed=0)
    count_cost(model, inputs)
    with torch.no_grad():
        model(*inputs.args)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before, started = held_mib("VmRSS"), time.process_time()
    if side == "netwright":
        pruning = prune_to_budget(model, inputs, Budget("macs", budget), load_method("magnitude_l2"), seed=0)
        status = "ok" if pruning.budget.within else "missed"
        seconds = time.process_time() - started
    else:
        answer = timed(lambda: with_bisection(model, inputs, "macs", budget))
        status, seconds = answer["status"], answer.get("prune_seconds", answer["seconds"])
    peak = held_mib("VmHWM")
    return {"status": status, "seconds": round(seconds, 2), "peak_mib": peak, "memory_mib": round(peak - before, 1)}


def held_mib(field: str) -> float:
    """What this process holds of memory ("VmRSS"), or the most that it held ("VmHWM")."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(round(int(line.split()[1]) / 1024, 1) for line in lines if line.startswith(field))


if __name__ == "__main__":
    main()
