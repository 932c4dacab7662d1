"""How long `netwright run` takes, once installed: the whole process, and its steps as the run's log has them.

Writes benchmarks/results/<date>-demo.json.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _results import describe_machine, write_results

ROUNDS = 2


def main() -> None:
    """Measure, print and write."""
    runs = [run_once() for _ in range(ROUNDS)]
    walls = [float(run["wall_s"]) for run in runs]
    print(f"median {statistics.median(walls):.1f} s of {sorted(walls)}")
    write_results("demo", {"median_wall_s": statistics.median(walls), "runs": runs, "machine": describe_machine()})


def run_once() -> dict[str, object]:
    """Run the quickstart in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "netwright.cli.main", "run"], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        wall = time.perf_counter() - started
        (log,) = Path(folder).glob("outputs/*/*/events.jsonl")
        events = [json.loads(line) for line in log.read_text().splitlines()]
    steps = {event["step"]: event["seconds"] for event in events if event["event"] == "step_ended"}
    return {"wall_s": round(wall, 1), "steps_s": steps}


if __name__ == "__main__":
    main()
