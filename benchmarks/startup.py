"""Start-up of the command line beside two plugin-based command lines that are well known: pytest and datasette's llm.

Whole processes, interleaved round by round; medians. Writes benchmarks/results/<date>-startup.json.
A peer that is not installed is reported as such: `pip install llm` brings the second one.
"""

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from _results import describe_machine, write_results

ROUNDS = 15
BIN = Path(sys.executable).parent
COMMANDS = {
    "netwright --help": ["netwright", "--help"],
    "netwright plugins": ["netwright", "plugins"],
    "netwright run --cfg job": ["netwright", "run", "--cfg", "job", "seed=0"],
    "pytest --help": ["pytest", "--help", "-p", "no:cacheprovider"],
    "llm --help": ["llm", "--help"],
    "llm plugins": ["llm", "plugins"],
}


def main() -> None:
    """Measure, print and write."""
    found = {name: [tool, *command[1:]] for name, command in COMMANDS.items() if (tool := _tool(command[0]))}
    seconds: dict[str, list[float]] = {name: [] for name in found}
    for round_number in range(ROUNDS + 1):
        for name, command in found.items():
            started = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, cwd="/")
            if round_number:  # the first round warms the disk cache
                seconds[name].append(time.perf_counter() - started)
    rows = {
        name: {"median_s": statistics.median(times), "min_s": min(times), "max_s": max(times)}
        for name, times in seconds.items()
    }
    rows |= {name: {"not_measured": "not installed"} for name in COMMANDS if name not in found}
    for name, row in rows.items():
        print(f"{name:26} {row}")
    write_results("startup", {"rounds": ROUNDS, "commands": rows, "machine": describe_machine()})


def _tool(name: str) -> str | None:
    return shutil.which(str(BIN / name)) or shutil.which(name)


if __name__ == "__main__":
    main()
