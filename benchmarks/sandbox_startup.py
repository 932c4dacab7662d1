"""What a cage costs: the time from start to end of a trivial program, bare and at each level of confinement.

Interleaved round by round; medians, and the median of each round's difference to the bare program. Other work on the
machine shows in all of them. Writes benchmarks/results/<date>-sandbox-startup.json. A level that does not work here is
reported as such.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from _results import describe_machine, write_results
from netwright.sandbox import Level, Probe, probe_levels, run

ROUNDS = 60
PROGRAMS = {"true": ["true"], "python": [sys.executable, "-c", "pass"]}


def main() -> None:
    """Measure, print and write."""
    probes = probe_levels()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        rows = {name: _measure(argv, Path(folder), probes) for name, argv in PROGRAMS.items()}
    for name, row in rows.items():
        for arm, numbers in row.items():
            print(f"{name:8} {arm:12} {numbers}")
    levels = {probe.level: probe.detail for probe in probes}
    write_results(
        "sandbox-startup",
        {
            "rounds": ROUNDS,
            "programs": rows,
            "levels": levels,
            "load_before": round(load, 2),
            "machine": describe_machine(),
        },
    )


def _measure(argv: list[str], folder: Path, probes: list[Probe]) -> dict[str, dict[str, float | str]]:
    """Milliseconds per arm."""
    arms: dict[str, Callable[[], object]] = {"bare": lambda: subprocess.run(argv, capture_output=True, check=True)}
    for probe in probes:
        if probe.works:
            arms[probe.level] = lambda level=probe.level: _caged(argv, folder, level)  # type: ignore[misc]
    times: dict[str, list[float]] = {name: [] for name in arms}
    for round_number in range(ROUNDS + 1):
        for name, arm in arms.items():
            started = time.perf_counter()
            arm()
            if round_number:  # the first round warms the disk cache
                times[name].append(1e3 * (time.perf_counter() - started))
    rows: dict[str, dict[str, float | str]] = {
        name: {
            "median_ms": round(statistics.median(values), 2),
            "min_ms": round(min(values), 2),
            "median_beyond_bare_ms": round(statistics.median(map(float.__sub__, values, times["bare"])), 2),
        }
        for name, values in times.items()
    }
    return rows | {probe.level: {"not_measured": probe.detail} for probe in probes if not probe.works}


def _caged(argv: list[str], folder: Path, level: Level) -> None:
    done = run(argv, workspace=folder, level=level)
    assert done.ok, done


if __name__ == "__main__":
    main()
