"""A five-node workflow with a loop, run in processes that are killed; a script, because only a process can be killed.

    scenario.py FOLDER ROUNDS random SEED KILLS    kills at random instants
    scenario.py FOLDER ROUNDS points               kills before, inside and after each transaction
    scenario.py FOLDER ROUNDS reference            kills nothing

Every trial has a folder of its own below FOLDER: it is killed once, its files are looked at as they are, and another
process resumes it. Prints one JSON line per trial. It forks, so that LangGraph is imported once.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver
from pydantic import BaseModel
from rich.console import Console

from netwright.context import RunContext, use_run
from netwright.runfolder import RunFolder
from netwright.workflow import END, Route, Workflow

CRASHED = 9
PHASES = ("before", "inside", "after")


class Search(BaseModel):
    """A search that keeps the best of its drafts."""

    rounds: int
    round: int = 0
    draft: str = ""
    built: bytes = b""
    score: float = 0.0
    best: float = float("inf")
    history: list[tuple[str, float]] = []
    verdict: str = ""


def search(log: Path) -> Workflow[Search]:
    """The workflow; every node notes in `log` that it began, and burns some time."""

    def begin(state: Search, node: str) -> None:
        with log.open("ab", buffering=0) as file:
            file.write(f"{node} {state.round}\n".encode())
            os.fsync(file.fileno())
        for _ in range(200):
            hashlib.sha256(node.encode() * 100).digest()

    def draft(state: Search) -> dict[str, object]:
        begin(state, "draft")
        return {"round": state.round + 1, "draft": hashlib.sha256(state.draft.encode()).hexdigest()}

    def build(state: Search) -> dict[str, object]:
        begin(state, "build")
        return {"built": state.draft.encode()}

    def measure(state: Search) -> dict[str, object]:
        begin(state, "measure")
        return {"score": int(hashlib.sha256(state.built).hexdigest()[:8], 16) / 2**32}

    def judge(state: Search) -> dict[str, object]:
        begin(state, "judge")
        return {
            "best": min(state.best, state.score),
            "history": [*state.history, (state.draft[:8], state.score)],
            "verdict": "better" if state.score < state.best else "worse",
        }

    def report(state: Search) -> dict[str, object]:
        begin(state, "report")
        return {"verdict": f"best of {state.round}: {state.best:.6f}"}

    return Workflow(
        "search",
        Search,
        nodes={"draft": draft, "build": build, "measure": measure, "judge": judge, "report": report},
        edges={
            "draft": "build",
            "build": "measure",
            "measure": "judge",
            "judge": Route(lambda state: "draft" if state.round < state.rounds else "report", ("draft", "report")),
            "report": END,
        },
    )


def run_search(folder: Path, rounds: int) -> None:
    """Run or resume it, and leave its final state."""
    with use_run(RunContext(folder=RunFolder(folder), console=Console(quiet=True))):
        result = search(folder / "executions.log").run(Search(rounds=rounds))
    assert result.finished
    (folder / "final.json").write_text(result.state.model_dump_json())


def in_a_child(work: Callable[[], None], *, kill_after: float | None = None) -> int:
    """Run `work` in a fork, killed after so many seconds; its wait status."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)  # the random instant itself
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


@contextmanager
def counted_transactions(act: Callable[[int, str], None]) -> Iterator[None]:
    """Call `act(number, phase)` before, inside and after each transaction of LangGraph's saver."""
    whole = SqliteSaver.cursor
    counter = iter(range(10**6))

    @contextmanager
    def cursor(self: SqliteSaver, transaction: bool = True) -> Iterator[sqlite3.Cursor]:
        if not transaction:
            with whole(self, transaction) as found:
                yield found
            return
        number = next(counter)
        act(number, "before")
        with whole(self, transaction) as found:
            yield found
            act(number, "inside")
        act(number, "after")

    SqliteSaver.cursor = cursor  # type: ignore[method-assign]
    try:
        yield
    finally:
        SqliteSaver.cursor = whole  # type: ignore[method-assign]


def crash_at(point: tuple[int, str], folder: Path, rounds: int) -> Callable[[], None]:
    """Work that ends without a farewell at that transaction and phase."""

    def work() -> None:
        def act(number: int, phase: str) -> None:
            if (number, phase) == point:
                os._exit(CRASHED)

        with counted_transactions(act):
            run_search(folder, rounds)

    return work


def half_written(folder: Path) -> list[str]:
    """What is broken in a folder as a killed process has left it; the folder itself is not touched."""
    if not folder.exists():
        return []
    problems = []
    copy = folder.with_name(f"{folder.name}-as-left")
    shutil.copytree(folder, copy)
    for path in copy.rglob("*.json"):
        try:
            json.loads(path.read_text())
        except ValueError:
            problems.append(f"{path.name} is no JSON")
    for path in copy.rglob("*.jsonl"):
        for line in path.read_bytes().split(b"\n")[:-1]:
            try:
                json.loads(line)
            except ValueError:
                problems.append(f"{path.name} has the line {line[:80]!r}")
    for path in copy.rglob("*.sqlite"):
        verdict = sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            problems.append(f"{path.name}: {verdict}")
    shutil.rmtree(copy)
    return problems


def trial(folder: Path, rounds: int, status: int) -> dict[str, Any]:
    """What a killed trial left, and what came out of its resumption."""
    log = folder / "executions.log"
    executed = log.read_text().splitlines() if log.exists() else []
    problems = half_written(folder)
    ended = (folder / "final.json").exists()
    resumed = in_a_child(lambda: run_search(folder, rounds))
    return {
        "trial": folder.name,
        "killed": os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == CRASHED,
        "ended_before": ended,
        "executed_before": len(executed),
        "problems": problems + half_written(folder),
        "resumed": os.waitstatus_to_exitcode(resumed),
        "executions": log.read_text().splitlines(),
        "final": json.loads((folder / "final.json").read_text()) if resumed == 0 else None,
    }


def main() -> None:
    """Run the trials that the arguments name."""
    root, rounds, mode = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    points: list[tuple[int, str]] = []
    durations: list[float] = []

    def reference() -> None:
        with counted_transactions(lambda *point: points.append(point)):
            run_search(root / "counted", rounds)
        (root / "points.json").write_text(json.dumps(points))

    run_search(root / "warm", 1)  # what it imports on its first run, the forks then need not
    in_a_child(reference)
    for number in range(3):
        started = time.perf_counter()
        status = in_a_child(lambda: run_search(root / f"reference-{number}", rounds))  # noqa: B023
        durations.append(time.perf_counter() - started)
    print(json.dumps(trial(root / "reference-0", rounds, status)))
    if mode == "random":
        generator, kills = random.Random(int(sys.argv[4])), int(sys.argv[5])
        for number in range(kills):
            folder = root / f"random-{number}"
            instant = generator.uniform(0, sorted(durations)[1])
            print(json.dumps(trial(folder, rounds, in_a_child(lambda: run_search(folder, rounds), kill_after=instant))))  # noqa: B023
    elif mode == "points":
        for number, phase in json.loads((root / "points.json").read_text()):
            folder = root / f"{phase}-{number}"
            print(json.dumps(trial(folder, rounds, in_a_child(crash_at((number, phase), folder, rounds)))))


if __name__ == "__main__":
    main()
