"""The validator: every published target, with every method, over seeds."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netwright.context import current_run
from netwright.errors import NetwrightError, UserError
from netwright.files import slug, write_json
from netwright_pruning.assignment import Assignment, assign, assign_structure
from netwright_pruning.exceptions import ConfigurationError, ValidationError
from netwright_pruning.methods import load_method
from netwright_pruning.pruner import MultiAgentPruner
from netwright_pruning.validation.analysis import analyze
from netwright_pruning.validation.plots import write_plots
from netwright_pruning.validation.runs import ValidationRun, describe_run
from netwright_pruning.validation.targets import PUBLISHED, PaperTarget

METHODS = ("multi_agent", "isomorphic", "taylor", "magnitude_l1")
"""What is validated unless methods are named."""
DATASET = "imagenet"
RUNS, ANALYSIS = "validation.json", "analysis.json"


class PaperReproductionValidator:
    """Holds methods against published results.

    Structure (MACs and parameters) is measured always, with drawn weights where the published ones cannot be had.
    Accuracy needs ImageNet (datasets.imagenet.path) and those weights (models.NAME.checkpoint, or the network), and is
    `not measured` otherwise. A run that has ended is not repeated: a validation can be finished over several sittings.

    Args:
        config_path: As `MultiAgentPruner` takes it.
        output_dir: Where runs, results and plots go.
        targets: What is to be reproduced.

    Raises:
        ConfigurationError: The file cannot be read, a variable is not set, or a key is wrong.
    """

    def __init__(
        self,
        config_path: str | Path | Mapping[str, Any] | None = None,
        output_dir: str | Path = "validation_results",
        *,
        targets: Sequence[PaperTarget] = PUBLISHED,
    ) -> None:
        self.pruner = MultiAgentPruner(config_path)
        self.output_dir = Path(output_dir)
        self.targets = tuple(targets)

    def validate_all_targets(
        self, methods: Sequence[str] | None = None, num_runs: int = 3
    ) -> dict[str, dict[str, Any]]:
        """Prune every target's model with every method to the published MACs, and set it against what was published.

        Args:
            methods: Registered baselines of group "pruning"; None takes `METHODS`.
            num_runs: How many seeds, counted from the experiment's.

        Returns:
            Per method, `success_rate`, `runs` (one mapping each) and `accuracy_measured`.

        Raises:
            ValidationError: There is nothing to run, or no run came to anything.
        """
        names = list(dict.fromkeys(METHODS if methods is None else methods))
        if not names or num_runs < 1 or not self.targets:
            raise ValidationError("there is nothing to validate", why="methods, runs and targets must be at least one")
        try:
            for name in names:
                load_method(name)
        except UserError as error:
            raise ValidationError(error.what, why=error.why, remedy=error.remedy) from error
        seeds = range(self.pruner.config.experiment.seed, self.pruner.config.experiment.seed + num_runs)
        runs = []
        with current_run().step("validate", total=len(self.targets) * len(names) * num_runs) as step:
            for target in self.targets:
                assignment, not_measured = self._assign(target)
                for name in names:
                    for seed in seeds:
                        runs.append(self._run(target, assignment, name, seed, not_measured))
                        step.advance(1, target=target.name, method=name)
                self._keep(runs)
        if all(run.error for run in runs):
            raise ValidationError("no run came to anything", why=runs[0].error or "")
        return {name: _by_method([run for run in runs if run.method == name]) for name in names}

    def analyze_results(self) -> dict[str, Any]:
        """`summary`, `method_comparison`, `statistical_tests` and `paper_reproduction`; also written as analysis.json.

        Raises:
            ValidationError: Nothing was validated yet.
        """
        found = analyze(self._runs(), self.targets)
        write_json(self.output_dir / ANALYSIS, found)
        return found

    def generate_visualizations(self) -> dict[str, Path]:
        """Write the plots `success_rate`, `accuracy_vs_macs`, `convergence_time` and `paper_reproduction`; their files.

        Raises:
            ValidationError: Nothing was validated yet.
            MissingDependencyError: matplotlib is not installed.
        """
        return write_plots(self._runs(), self.targets, self.output_dir)

    def _assign(self, target: PaperTarget) -> tuple[Assignment, str | None]:
        """The target's model, with data and published weights where they can be had; else why not."""
        config = self.pruner.config
        try:
            return assign(target.model_name, DATASET, config), None
        except ConfigurationError as error:
            return assign_structure(target.model_name, config), str(error)

    def _run(
        self, target: PaperTarget, assignment: Assignment, method: str, seed: int, not_measured: str | None
    ) -> ValidationRun:
        budget = {"macs": f"{target.macs / 1e6:.6f}M"}
        folder = self.output_dir / "runs" / slug(target.name) / slug(method) / f"seed-{seed}"
        weights = "drawn" if assignment.checkpoint is None else "published"
        if not_measured is None and assignment.checkpoint is None:
            not_measured = "the model has drawn weights"
        try:
            job = self.pruner.job(assignment, budget, [method], changes={"seed": seed, "measure_latency": False})
            result, _ = self.pruner.run(job, folder, caching=True)
        except NetwrightError as error:
            current_run().warn(f"{target.name}, {method}, seed {seed}: {error}")
            return ValidationRun(target=target.name, method=method, seed=seed, weights=weights, error=str(error))
        return describe_run(result, target, method, seed=seed, weights=weights, not_measured=not_measured)

    def _keep(self, runs: Sequence[ValidationRun]) -> None:
        write_json(self.output_dir / RUNS, [run.model_dump(mode="json") for run in runs])

    def _runs(self) -> list[ValidationRun]:
        try:
            values = json.loads((self.output_dir / RUNS).read_text(encoding="utf-8"))
            return [ValidationRun.model_validate(value) for value in values]
        except FileNotFoundError:
            raise ValidationError(
                f"nothing was validated in {self.output_dir}", remedy="call validate_all_targets first"
            ) from None
        except ValueError as error:
            raise ValidationError(f"{self.output_dir / RUNS} is damaged", why=str(error).splitlines()[0]) from None


def _by_method(runs: Sequence[ValidationRun]) -> dict[str, Any]:
    return {
        "success_rate": sum(run.success for run in runs) / len(runs),
        "accuracy_measured": sum(run.accuracy is not None for run in runs),
        "runs": [run.as_dict() for run in runs],
    }
