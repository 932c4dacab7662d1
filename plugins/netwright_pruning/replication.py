"""Results over seeds: means with standard errors, and paired tests against the best method."""

from collections.abc import Mapping
from typing import Any

from netwright.collect.aggregate import mean_and_error
from netwright.collect.paired import paired_by_seed

AVERAGED = (
    "final_accuracy",
    "params_reduction",
    "macs_reduction",
    "convergence_iterations",
    "total_time_minutes",
    "baseline_accuracy",
    "final_params",
    "final_macs",
)
Results = Mapping[str, Mapping[str, Any]]
"""Per method, what `MultiAgentPruner.prune_model` returns."""


def over_seeds(by_seed: Mapping[int, Results]) -> dict[str, dict[str, Any]]:
    """Per method, the means of its figures over the seeds in which it did not fail.

    Returns:
        Beside the means: `standard_error` (per figure; None for one seed), `seeds`, `runs` (each seed's own result),
        and `against_best` (a paired test of the accuracy against the highest method's; None for that method itself).
    """
    methods = dict.fromkeys(method for results in by_seed.values() for method in results)
    runs = {m: {seed: results[m] for seed, results in by_seed.items() if m in results} for m in methods}
    accuracies = {
        method: {seed: run["final_accuracy"] for seed, run in own.items() if run["final_accuracy"] is not None}
        for method, own in runs.items()
    }
    means = {method: mean_and_error(list(values.values()))[0] for method, values in accuracies.items()}
    best = max((m for m in means if means[m] is not None), key=lambda m: means[m] or 0.0, default=None)
    found = {}
    for method, own in runs.items():
        spreads = {key: mean_and_error([run[key] for run in own.values() if run[key] is not None]) for key in AVERAGED}
        test = paired_by_seed(accuracies[method], accuracies[best]) if best not in (None, method) else None
        found[method] = {
            **{key: mean for key, (mean, _) in spreads.items()},
            "method": method,
            "standard_error": {key: error for key, (_, error) in spreads.items()},
            "seeds": list(own),
            "runs": {seed: dict(run) for seed, run in own.items()},
            "against_best": None if test is None else {"best": best, **test.model_dump()},
        }
    return found
