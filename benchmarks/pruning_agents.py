"""The agents' loop beside every single pruning method on real digits: equal budgets, equal epochs, several seeds.

Every method gets the same trained model, the same recipe's number of epochs (the loop's search trains nothing), and is
judged on a test split that decided nothing. `multi_agent` refits layers and trains by a recipe of its own; so that it
is not that recipe alone that wins, every method is fine-tuned a second time by it ("its recipe").

Rows lie in benchmarks/results/<date>-pruning-agents.jsonl, so that a run can be stopped and goes on.

    python benchmarks/pruning_agents.py [--seeds 0 1 2 3 4] [--threads 1]
"""

import argparse
import copy
import json
import math
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from _results import RESULTS, describe_machine, write_results
from netwright.agent import Job
from netwright.registry import registry
from netwright.specs import BaselineSpec
from netwright_pruning import BudgetConfig, PrunerConfig, load_method, prune_to_budget, recalibrate
from netwright_pruning.agents.config import MultiAgentOptions
from netwright_pruning.multi_agent import MultiAgentPruning
from netwright_pruning.recovery import own_recipe
from netwright_pruning.subject import Data, Subject, prepare_subject
from netwright_training import TrainConfig, train

KEPT = (0.1, 0.3)
"""Fractions of the MACs that remain."""
TRAINED = 0.1
"""The one at which single methods are fine-tuned as well."""
AGENTS = "multi_agent"


def main() -> None:
    """Run what has no row yet, print and write a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--methods", nargs="+", default=_methods(), help="beside multi_agent")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", type=Path, default=RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-pruning-agents.jsonl")
    parser.add_argument("--kept", type=float, nargs="+", default=list(KEPT), help="fractions of the MACs that remain")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for seed in options.seeds:
        run_seed(seed, [AGENTS, *options.methods], options.kept, options.rows)
    rows = [row for row in _read(options.rows) if row["seed"] in options.seeds]
    rows = [row for row in rows if row["method"] in (AGENTS, *options.methods)]
    summary = {str(kept): summarise([row for row in rows if row["kept"] == kept]) for kept in options.kept}
    values = {"machine": describe_machine(), "case": "digits_cnn", "seeds": options.seeds, "summary": summary}
    write_results("pruning-agents", {**values, "options": MultiAgentOptions().model_dump(mode="json"), "rows": rows})
    for kept, table in summary.items():
        print(f"\n{kept} of the MACs kept: {table['verdict']}")
        for name, line in table["methods"].items():
            print(f"  {name:18s}", {key: [round(number, 4) for number in value] for key, value in line.items()})


def run_seed(seed: int, names: Sequence[str], fractions: Sequence[float], file: Path) -> None:
    """All methods on one trained model; rows that are in the file are not measured again."""
    done = {(row["kept"], row["method"]) for row in _read(file) if row["seed"] == seed}
    jobs = [(kept, name) for kept in fractions for name in names if (kept, name) not in done]
    if not jobs:
        return
    job = Job(case="digits_cnn", seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        subject = prepare_subject(job, PrunerConfig(), Path(folder) / "training")
        for kept, name in jobs:
            config = PrunerConfig(budget=BudgetConfig(macs=kept))
            if name == AGENTS:
                found = agents(subject, job, config, Path(folder) / f"{kept}")
            else:
                found = single(name, subject, config, seed)
            row = {"seed": seed, "kept": kept, "method": name, **found}
            with file.open("a") as rows:
                rows.write(json.dumps(row) + "\n")
            print({key: value for key, value in row.items() if key != "attempts"}, flush=True)


def single(name: str, subject: Subject, config: PrunerConfig, seed: int) -> dict[str, Any]:
    """One criterion: pruned, re-estimated, and fine-tuned by the usual recipe and by the agents' own."""
    data = _data(subject)
    started = time.process_time()
    pruning = prune_to_budget(
        subject.model,
        subject.inputs,
        config.targets,
        load_method(name),
        seed=seed,
        batches=data.calibration,
        survey=subject.survey,
    )
    recalibrate(pruning.model, (samples for samples, _ in data.calibration))
    found: dict[str, Any] = {"recalibrated": data.test(pruning.model), "within": pruning.budget.within}
    assert data.fine_tune is not None
    if config.targets[0].amount != TRAINED:
        return found
    recipes = {"fine_tuned": data.fine_tune, "its_recipe": own_recipe(data.fine_tune, MultiAgentOptions().recovery)}
    for key, recipe in recipes.items():
        found[key] = _tuned(pruning.model, subject, data, recipe, seed)
    return {**found, "cpu_s": round(time.process_time() - started, 2)}


def agents(subject: Subject, job: Job, config: PrunerConfig, folder: Path) -> dict[str, Any]:
    """The loop."""
    started = time.process_time()
    report = MultiAgentPruning().conduct(AGENTS, subject, job, config, folder).report
    return {
        "recalibrated": report.stages.recalibrated,
        "fine_tuned": report.after.accuracy,
        "within": report.budget.within,
        "epochs": sum(attempt.epochs for attempt in report.loop),
        "cpu_s": round(time.process_time() - started, 2),
        "attempts": [attempt.facts for attempt in report.loop],
    }


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard error per method and stage, and how the agents stand to the best single method."""
    methods: dict[str, dict[str, list[float]]] = {}
    for name in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == name]
        keys = [key for key in ("recalibrated", "fine_tuned", "its_recipe") if key in own[0]]
        methods[name] = {key: [*_mean_and_error([row[key] for row in own])] for key in keys}
    singles = {name: line for name, line in methods.items() if name != AGENTS}
    verdict = {}
    for key in [key for key in ("fine_tuned", "its_recipe") if key in next(iter(singles.values()))]:
        best = max(singles, key=lambda name: singles[name][key][0])
        pairs = [
            (next(r for r in rows if r["seed"] == seed and r["method"] == AGENTS)["fine_tuned"])
            - (next(r for r in rows if r["seed"] == seed and r["method"] == best)[key])
            for seed in dict.fromkeys(row["seed"] for row in rows)
        ]
        ahead, error = _mean_and_error(pairs)
        verdict[key] = {
            "best_single": best,
            "ahead": ahead,
            "standard_error_of_the_difference": error,
            "larger_standard_error": max(singles[best][key][1], methods[AGENTS]["fine_tuned"][1]),
        }
    return {"methods": methods, "verdict": verdict}


def _tuned(model: torch.nn.Module, subject: Subject, data: Data, recipe: TrainConfig, seed: int) -> float:
    copied = copy.deepcopy(model)
    teacher = subject.model if recipe.distillation else None
    train(copied, data.splits, recipe, seed=seed, teacher=teacher)
    return data.test(copied)


def _mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    return mean(values), stdev(values) / math.sqrt(len(values)) if len(values) > 1 else float("nan")


def _data(subject: Subject) -> Data:
    assert subject.data is not None
    return subject.data


def _methods() -> list[str]:
    """All pruning baselines but the agents."""
    specs = [component.spec for component in registry().components("baseline")]
    return [s.name for s in specs if isinstance(s, BaselineSpec) and s.group == "pruning" and s.name != AGENTS]


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


if __name__ == "__main__":
    main()
