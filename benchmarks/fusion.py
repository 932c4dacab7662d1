"""How much faster the fusion agent makes cases and problems: the shipped cases, and problems in KernelBench's format.

Each runs as a user runs it, in a process of its own: `netwright run agent=fusion case=NAME`. The denominator is the
fastest of eager, torch.compile and max-autotune, timed beside the winner in the same rounds.

    python benchmarks/fusion.py                      # everything
    python benchmarks/fusion.py --only level2        # what has that in its name
    python benchmarks/fusion.py --quick              # fewer rounds, no kernels
    python benchmarks/fusion.py --every 3 --minutes 20   # a third of them, as far as 20 minutes go
    python benchmarks/fusion.py --random 12 --first 500  # problems that are drawn: random_problems.py
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _results import describe_machine, write_results
from netwright.collect.fast_p import answers, fast_p
from netwright.result import Result
from netwright.runfolder import read_result
from random_problems import draw_problem

ROOT = Path(__file__).parents[1]
LONGEST_S = 1200.0
FEWER_FLOPS = 0.9
"""A rule took off a tenth of them or more."""
SHOWN = ("group", "case", "outcome", "best", "speedup", "seconds", "reason")
QUICK = ["agent.kernels=false", "agent.timing.max_seconds=1", "agent.verification.distributions=[uniform,large]"]


def subjects() -> Iterator[tuple[str, str]]:
    """Group and case name of everything to run."""
    for manifest in sorted((ROOT / "cases").glob("*/manifest.yaml")):
        yield "cases", manifest.parent.name
    for problem in sorted((ROOT / "benchmarks" / "problems").glob("*/*.py")):
        yield problem.parent.name, f"kernelbench:{problem}"


def random_subjects(folder: Path, first: int, count: int) -> Iterator[tuple[str, str]]:
    """As `subjects`, for problems that are drawn, and written into a folder."""
    for number in range(first, first + count):
        problem = folder / f"random_{number}.py"
        problem.write_text(draw_problem(number), encoding="utf-8")
        yield "random", f"kernelbench:{problem}"


def run(case: str, folder: Path, overrides: list[str]) -> tuple[Result | None, float]:
    """The result of a run, and how many seconds it took; None where there is none."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "netwright.cli.main", "run", "--quiet", "agent=fusion", f"case='{case}'"]
    command += ["agent.archive=false", f"hydra.run.dir={folder}", *overrides]
    try:
        subprocess.run(command, cwd=ROOT, timeout=LONGEST_S, check=False, stdout=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return None, LONGEST_S
    seconds = time.perf_counter() - started
    return (read_result(folder) if (folder / "result.json").exists() else None), seconds


def row(group: str, case: str, result: Result | None, seconds: float) -> dict[str, Any]:
    """What the table keeps of a run."""
    name = Path(case).stem if case.startswith("kernelbench:") else case
    found: dict[str, Any] = {"group": group, "case": name, "seconds": round(seconds, 1)}
    if result is None:
        return found | {"status": "failed", "reason": f"no result in {LONGEST_S:g} s"}
    if result.status == "failed":
        return found | {"status": "failed", "reason": result.errors[0].message}
    metrics = result.metrics
    latencies = {each["label"]: each["latency_ms"] for each in metrics["variants"] if each["latency_ms"] is not None}
    return found | {
        "status": result.status,
        "outcome": metrics["outcome"],
        "best": metrics["best"],
        "fastest_baseline": metrics["fastest_baseline"],
        "speedup": metrics["speedup"],
        "latency_ms": latencies,
        "rules": [rule["rule"] for rule in metrics["rules"] if rule["used"]],
        "dropped": [rule["site"] for rule in metrics["rules"] if rule["dropped"]],
        "flops_before": metrics["flops_before"],
        "flops_after": metrics["flops_after"],
        "boxes": metrics["boxes"],
    }


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Geometric means of the speed-ups over the fastest baseline, and how many seconds runs took."""
    won = [each for each in rows if each.get("speedup") is not None]
    fewer = [each for each in won if each["flops_before"] and each["flops_after"] <= FEWER_FLOPS * each["flops_before"]]
    seconds = [each["seconds"] for each in rows]
    return {
        "speedup": _geometric_mean(won),
        "where_flops_fell": {"problems": len(fewer), "speedup": _geometric_mean(fewer)},
        "faster": sum(each["outcome"] == "faster" for each in won),
        "seconds": {"median": statistics.median(seconds), "least": min(seconds), "most": max(seconds)},
    }


def _geometric_mean(rows: list[dict[str, Any]]) -> float | None:
    return round(statistics.geometric_mean(each["speedup"] for each in rows), 3) if rows else None


def main() -> None:
    """Run all, print a line for each, and write the dated JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[""], help="run what has one of these in its group or name")
    parser.add_argument("--name", help="what to call the results; by default after --only or --random")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no kernels")
    parser.add_argument("--every", type=int, default=1, help="run one in so many")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no run after that")
    parser.add_argument("--random", type=int, help="draw as many problems instead")
    parser.add_argument("--first", type=int, default=0, help="the number of the first of them")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    results: dict[str, list[Result]] = {}
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="netwright-fusion-") as scratch:
        known = list(random_subjects(Path(scratch), options.first, options.random) if options.random else subjects())
        chosen = [each for each in known if any(only in " ".join(each) for only in options.only)][:: options.every]
        for number, (group, case) in enumerate(chosen):
            if time.monotonic() - started > 60 * options.minutes:
                break
            result, seconds = run(case, Path(scratch) / str(number), QUICK if options.quick else [])
            rows.append(row(group, case, result, seconds))
            if result is not None:
                results.setdefault(group, []).append(result)
            print({key: rows[-1].get(key) for key in SHOWN}, flush=True)
    summaries = {
        group: [each.model_dump(mode="json") for each in fast_p(answers(found))] for group, found in results.items()
    }
    values = {
        "machine": describe_machine(),
        "quick": options.quick,
        "left_out": len(known) - len(rows),
        "fast_p": summaries,
        "summary": {group: summarise([each for each in rows if each["group"] == group]) for group in results},
        "rows": rows,
    }
    named = options.name or (f"random-{options.first}" if options.random else "-".join(options.only))
    write_results("-".join(["fusion", *([named] if named else [])]), values)


if __name__ == "__main__":
    main()
