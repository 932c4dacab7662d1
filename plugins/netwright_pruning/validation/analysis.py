"""The analysis of a validation: per method, between methods, and against what was published."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

from netwright.collect.aggregate import mean_and_error
from netwright.collect.paired import paired_by_seed
from netwright_pruning.validation.runs import ValidationRun
from netwright_pruning.validation.targets import PaperTarget

Value = Callable[[ValidationRun], float | None]

COMPARED: dict[str, Value] = {
    "accuracy": lambda run: run.accuracy,
    "macs_error": lambda run: _size(run.macs_error),
    "parameters_error": lambda run: _size(run.parameters_error),
    "params_reduction": lambda run: run.params_reduction,
    "macs_reduction": lambda run: run.macs_reduction,
    "convergence_iterations": lambda run: run.iterations,
    "minutes": lambda run: run.minutes,
}
"""What methods are compared by; errors by their size."""
SIGNIFICANT = 0.05


def analyze(runs: Sequence[ValidationRun], targets: Sequence[PaperTarget]) -> dict[str, Any]:
    """`summary`, `method_comparison`, `statistical_tests` and `paper_reproduction`, in plain values."""
    methods = list(dict.fromkeys(run.method for run in runs))
    return {
        "summary": _summary(runs, methods),
        "method_comparison": {method: _method([run for run in runs if run.method == method]) for method in methods},
        "statistical_tests": _tests(runs, methods),
        "paper_reproduction": {
            target.name: _reproduction(target, [run for run in runs if run.target == target.name], methods)
            for target in targets
            if any(run.target == target.name for run in runs)
        },
    }


def spread(values: Sequence[float | None]) -> dict[str, float | int | None]:
    """Mean and standard error of what was measured."""
    known = [value for value in values if value is not None]
    mean, error = mean_and_error(known)
    return {"mean": mean, "standard_error": error, "n": len(known)}


def _summary(runs: Sequence[ValidationRun], methods: Sequence[str]) -> dict[str, Any]:
    measured = [run for run in runs if run.accuracy is not None]
    reasons = list(dict.fromkeys(run.not_measured for run in runs if run.not_measured))
    return {
        "targets": len({run.target for run in runs}),
        "methods": list(methods),
        "runs": len(runs),
        "failed_runs": sum(run.error is not None for run in runs),
        "success_rate": sum(run.success for run in runs) / len(runs),
        "structure_reached": sum(run.structure_reached for run in runs),
        "accuracy_measured": len(measured),
        "accuracy_reached": sum(bool(run.accuracy_reached) for run in measured) if measured else None,
        "accuracy_not_measured": reasons,
        "total_minutes": sum(run.minutes or 0.0 for run in runs),
    }


def _method(runs: Sequence[ValidationRun]) -> dict[str, Any]:
    return {
        "runs": len(runs),
        "failed_runs": sum(run.error is not None for run in runs),
        "success_rate": sum(run.success for run in runs) / len(runs),
        **{name: spread([value(run) for run in runs]) for name, value in COMPARED.items()},
    }


def _tests(runs: Sequence[ValidationRun], methods: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Per pair of methods and metric, a paired test over targets and seeds."""
    found: dict[str, dict[str, Any]] = {}
    for first, second in combinations(methods, 2):
        tests = {}
        for name, value in COMPARED.items():
            test = paired_by_seed(_by_target_and_seed(runs, first, value), _by_target_and_seed(runs, second, value))
            significant = None if test.p_value is None else test.p_value < SIGNIFICANT
            tests[name] = {**test.model_dump(), "significant": significant}
        found[f"{first} - {second}"] = tests
    return found


def _by_target_and_seed(runs: Sequence[ValidationRun], method: str, value: Value) -> dict[tuple[str, int], float]:
    return {
        (run.target, run.seed): number for run in runs if run.method == method and (number := value(run)) is not None
    }


def _reproduction(target: PaperTarget, runs: Sequence[ValidationRun], methods: Sequence[str]) -> dict[str, Any]:
    published = target.model_dump(include={"model_name", "macs", "parameters", "top_1", "source", "note"})
    return {
        "published": published,
        "methods": {method: _reached([run for run in runs if run.method == method]) for method in methods},
    }


def _reached(runs: Sequence[ValidationRun]) -> dict[str, Any]:
    measured = [run for run in runs if run.accuracy is not None]
    return {
        "macs": spread([run.macs for run in runs]),
        "parameters": spread([run.parameters for run in runs]),
        "macs_error": spread([run.macs_error for run in runs]),
        "parameters_error": spread([run.parameters_error for run in runs]),
        "structure_reached": bool(runs) and all(run.structure_reached for run in runs),
        "accuracy": spread([run.accuracy for run in runs]) if measured else "not measured",
        "accuracy_reached": all(bool(run.accuracy_reached) for run in measured) if measured else "not measured",
        "not_measured": next((run.not_measured for run in runs if run.not_measured), None),
        "errors": [run.error for run in runs if run.error],
    }


def _size(error: float | None) -> float | None:
    return None if error is None else abs(error)
