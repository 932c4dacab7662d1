"""Pruning to a budget over timm's architectures, with plain torch-pruning beside it: what works, and how near it comes.

Every architecture x budget is one job, and leaves one line in benchmarks/results/<date>-pruning.jsonl; jobs that have
theirs are skipped, so that a sweep can be stopped and resumed. Weights are random: this is about structure. Everything
runs in one thread, and its time is that of the processor, so that whatever else the machine does leaves it as it is.

    python benchmarks/pruning.py [--metric macs] [--budget 0.5] [--only resnet18 ...] [--results FILE] [--no-peer]
"""

import argparse
import copy
import json
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn

from _results import RESULTS, describe_machine
from netwright.cases import CaseOptions, Inputs
from netwright.cases.load import load_case
from netwright.cases.module import draw_inputs, prepare_module
from netwright.cost import count_cost
from netwright_pruning import Budget, load_method, load_pruned, prune_to_budget, save_pruned

LIMIT_S = 120
TOLERANCE = 0.01
MOST_EVALUATIONS = 20
_LISTED = (Path(__file__).parent / "pruning_architectures.txt").read_text().splitlines()
ARCHITECTURES = {name: int(size) if size else None for name, _, size in (line.partition(" ") for line in _LISTED)}
"""Of timm, with the size of the images where the architecture takes any."""


class TimeUpError(BaseException):
    """A job's time is over; no handler of ordinary errors must take it."""


def main() -> None:
    """Run the jobs that have no result yet, and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metric", choices=["macs", "parameters"], default="macs")
    parser.add_argument("--budget", type=float, default=0.5)
    parser.add_argument("--only", nargs="*", default=list(ARCHITECTURES))
    parser.add_argument("--results", type=Path, default=RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-pruning.jsonl")
    parser.add_argument("--no-peer", action="store_true", help="leave plain torch-pruning out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = _read(options.results)
    done = {(line["architecture"], line["metric"], line["budget"]) for line in lines}
    for name in options.only:
        if (name, options.metric, options.budget) in done:
            continue
        line = run_job(name, ARCHITECTURES.get(name, 64), options.metric, options.budget, peer=not options.no_peer)
        with options.results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(name, {key: line["netwright"].get(key) for key in ("status", "error", "seconds")}, flush=True)
    summarise(_read(options.results), options.metric, options.budget)


def run_job(name: str, size: int | None, metric: str, budget: float, *, peer: bool) -> dict[str, Any]:
    """Prune one architecture with netwright and, on the same weights, with plain torch-pruning."""
    constants = {"batch_size": 1, **({"image_size": size} if size else {})}
    options = CaseOptions(constants=constants)
    line: dict[str, Any] = {"architecture": name, "image_size": size, "metric": metric, "budget": budget}
    try:
        case = load_case(f"timm:{name}", options)
        model, inputs = prepare_module(case, seed=0).eval(), draw_inputs(case, seed=0)
    except Exception as error:  # one architecture less, the others go on
        return {**line, "netwright": {"status": "not built", "reason": _one_line(error)}}
    state = {key: value.clone() for key, value in model.state_dict().items()}
    line["netwright"] = timed(lambda: with_netwright(model, inputs, case.name, options, Budget(metric, budget)))
    line["netwright"]["unpruned_intact"] = all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    if peer:
        line["torch_pruning"] = timed(lambda: with_torch_pruning(model, inputs, metric, budget))
        line["torch_pruning_bisected"] = timed(lambda: with_bisection(model, inputs, metric, budget))
    return {**line, "machine": describe_machine()}


def with_netwright(model: nn.Module, inputs: Inputs, case: str, options: CaseOptions, budget: Budget) -> dict[str, Any]:
    """Prune, save, reload, run forward and backward."""
    started = time.process_time()
    pruning = prune_to_budget(model, inputs, budget, load_method("magnitude_l2"), seed=0)
    seconds = time.process_time() - started
    with tempfile.TemporaryDirectory() as folder:
        save_pruned(pruning.model, Path(folder) / "model", case=case, options=options)
        loaded = load_pruned(Path(folder) / "model")
    with torch.no_grad():
        same = all(torch.equal(a, b) for a, b in zip(_call(pruning.model, inputs), _call(loaded, inputs), strict=True))
    _backward(pruning.model, inputs)
    return {
        "status": "ok" if pruning.budget.within and same else "missed" if same else "reloads differently",
        "error": pruning.budget.error,
        "prune_seconds": round(seconds, 2),
        "reload_bit_equal": same,
        "equality": pruning.equality.verdict,
        "equality_reason": pruning.equality.reason,
        "attempts": len(pruning.budget.attempts),
        "relaxed": pruning.budget.relaxed,
        "faults": [{"group": f.group, "module": f.module, "reason": f.reason[:200]} for f in pruning.faults],
    }


def with_torch_pruning(model: nn.Module, inputs: Inputs, metric: str, budget: float) -> dict[str, Any]:
    """The library as its readme shows it, at the ratio by which widths have to shrink for the budget."""
    pruned = _with_ratio(model, inputs, 1 - budget**0.5, round_to=8)
    _backward(pruned, inputs)
    error = getattr(count_cost(pruned, inputs), metric) / (budget * getattr(count_cost(model, inputs), metric)) - 1
    return {"status": "ok" if abs(error) <= TOLERANCE else "missed", "error": error}


def with_bisection(model: nn.Module, inputs: Inputs, metric: str, budget: float) -> dict[str, Any]:
    """The library with a bisection of its ratio around it, which nobody has to round: the best it can do."""
    target = budget * getattr(count_cost(model, inputs), metric)
    low, high, error, evaluations = 0.0, 1.0, float("inf"), 0
    started = time.process_time()
    while abs(error) > TOLERANCE and evaluations < MOST_EVALUATIONS:
        ratio = (low + high) / 2
        pruned = _with_ratio(model, inputs, ratio, round_to=None)
        error, evaluations = getattr(count_cost(pruned, inputs), metric) / target - 1, evaluations + 1
        low, high = (ratio, high) if error > 0 else (low, ratio)
    seconds = time.process_time() - started
    _backward(pruned, inputs)
    status = "ok" if abs(error) <= TOLERANCE else "missed"
    return {"status": status, "error": error, "prune_seconds": round(seconds, 2), "evaluations": evaluations}


def _with_ratio(model: nn.Module, inputs: Inputs, ratio: float, *, round_to: int | None) -> nn.Module:
    model = copy.deepcopy(model)
    pruner = tp.pruner.BasePruner(
        model,
        inputs.args[0],
        importance=tp.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=ratio,
        ignored_layers=[m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == 1000],
        round_to=round_to,
    )
    pruner.step()
    with torch.no_grad():
        _call(model, inputs)
    return model


def timed(job: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A job's answer and its processor seconds; what it raises is its answer too."""
    started = time.process_time()
    try:
        with _limit(LIMIT_S):
            answer = job()
    except TimeUpError:
        answer = {"status": "over time"}
    except Exception as error:
        answer = {"status": "failed", "reason": _one_line(error)}
    return {**answer, "seconds": round(time.process_time() - started, 2)}


def summarise(lines: list[dict[str, Any]], metric: str, budget: float) -> None:
    """Print how many jobs ended how."""
    lines = [line for line in lines if (line["metric"], line["budget"]) == (metric, budget)]
    for side in ("netwright", "torch_pruning", "torch_pruning_bisected"):
        found = [line[side]["status"] for line in lines if side in line]
        print(side, len(found), "jobs:", {status: found.count(status) for status in sorted(set(found))})


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def stop(_signal: int, _frame: object) -> None:
        raise TimeUpError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _call(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    output = model.eval()(*inputs.args)
    return [output] if isinstance(output, Tensor) else list(output)


def _backward(model: nn.Module, inputs: Inputs) -> None:
    torch.stack([output.sum() for output in _call(model, inputs)]).sum().backward()


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


if __name__ == "__main__":
    main()
