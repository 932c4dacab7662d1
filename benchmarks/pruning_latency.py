"""What pruning gains in latency: at half the MACs, and at a budget of latency itself.

Each row is a run as a user starts it, `netwright run agent=pruner case=timm:NAME agent.budget={...}`, with random
weights: this is about time. The harness times the unpruned and the pruned model in alternating rounds.

    python benchmarks/pruning_latency.py [--only resnet50 ...] [--kept 0.5] [--latency 0.6] [--round-to 8 16]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

from _results import describe_machine, write_results
from netwright.runfolder import read_result

MODELS = ("resnet50", "convnext_tiny", "deit_small_patch16_224", "mobilenetv2_100")
LONGEST_S = 1800.0


def main() -> None:
    """Run all, print a line for each, and write the dated JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=list(MODELS))
    parser.add_argument("--kept", type=float, default=0.5, help="fraction of the MACs that remains")
    parser.add_argument("--latency", type=float, default=0.6, help="fraction of the latency that remains")
    parser.add_argument("--round-to", type=int, nargs="+", default=[None], help="what widths are multiples of")
    options = parser.parse_args()
    rows = []
    for model, round_to in product(options.only, options.round_to):
        for metric, kept in (("macs", options.kept), ("latency", options.latency)):
            with tempfile.TemporaryDirectory() as folder:
                rows.append(run(model, metric, kept, round_to, Path(folder) / "run"))
            print(rows[-1], flush=True)
    write_results("pruning-latency", {"machine": describe_machine(), "rows": rows})


def run(model: str, metric: str, kept: float, round_to: int | None, folder: Path) -> dict[str, Any]:
    """One row: what the run's result says."""
    found: dict[str, Any] = {"model": model, "budget": {metric: kept}, "round_to": round_to}
    command = [sys.executable, "-m", "netwright.cli.main", "run", "--quiet", "agent=pruner", f"case=timm:{model}"]
    command += [f"agent.budget={{{metric}: {kept}}}", f"agent.round_to={round_to or 'null'}", f"hydra.run.dir={folder}"]
    started = time.perf_counter()
    try:
        subprocess.run(command, timeout=LONGEST_S, check=False, stdout=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return found | {"status": f"no result in {LONGEST_S:g} s"}
    found["seconds"] = round(time.perf_counter() - started, 1)
    result = read_result(folder)
    if result.status == "failed":
        return found | {"status": result.errors[0].message}
    metrics = result.metrics
    method = metrics["methods"][0]
    return found | {
        "status": result.status,
        "method": method["label"],
        "macs_kept": round(metrics["after"]["macs"] / metrics["before"]["macs"], 4),
        "latency_ms": [metrics["before"]["latency_ms"], metrics["after"]["latency_ms"]],
        "speedup": method["speedup"],
        "speedup_ci": method["speedup_ci"],
        "budget_error": metrics["budget"]["error"],
        "within": metrics["budget"]["within"],
        "attempts": len(metrics["attempts"]),
    }


if __name__ == "__main__":
    main()
