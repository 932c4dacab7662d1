"""Measurements of many runs as groups: everything that differs only by seed becomes a mean and its standard error."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from netwright.result import Measurement, Record, Result

NOT_SETTINGS = ("agent.name", "baseline", "case", "seed", "sweep.name", "sweep.resume", "workspace")
"""Keys of a job's configuration that groups show otherwise, or that do not change a result."""


class Group(Record):
    """One metric of one label, over seeds."""

    case: str | None
    agent: str
    settings: dict[str, str]
    """The values of the configuration keys that vary between the runs, as far as these runs have them."""
    label: str
    metric: str
    stage: str | None
    unit: str
    seeds: list[int]
    """Those with a value."""
    values: list[float] = []
    """Per such seed, its value."""
    mean: float | None
    """None when no run has a value."""
    standard_error: float | None
    """The sample's standard deviation over the square root of the number of seeds; None for fewer than two seeds."""
    not_measured: list[str]
    """Why values are missing."""

    @property
    def n(self) -> int:
        """The number of seeds with a value."""
        return len(self.seeds)


def aggregate(results: Sequence[Result]) -> list[Group]:
    """Group all measurements by case, agent, varying settings, label, metric, stage and unit, in order of appearance.

    The seed is the unit of replication: several runs of one seed (a reference that every job of a sweep measures
    again) are averaged first, so they do not make the standard error look smaller than it is.
    """
    varying = set(varying_keys(results))
    groups: dict[tuple[Any, ...], list[tuple[int, Measurement]]] = {}
    for result in results:
        settings = tuple((key, value) for key, value in settings_of(result.config).items() if key in varying)
        for row in result.measurements:
            key = (row.case or result.case, result.agent, settings, row.label, row.metric, row.stage, row.unit)
            groups.setdefault(key, []).append((result.seed if row.seed is None else row.seed, row))
    return [_group(key, rows) for key, rows in groups.items()]


def varying_keys(results: Iterable[Result]) -> list[str]:
    """The configuration keys in which runs of one agent differ, but for `NOT_SETTINGS`; in order of appearance."""
    by_agent: dict[str, list[dict[str, str]]] = {}
    for result in results:
        by_agent.setdefault(result.agent, []).append(settings_of(result.config))
    return list(
        dict.fromkeys(
            key
            for runs in by_agent.values()
            for settings in runs
            for key in settings
            if len({other.get(key) for other in runs}) > 1
        )
    )


def settings_of(config: Mapping[str, Any]) -> dict[str, str]:
    """The leaves of a job's configuration by dotted key, as text; lists are leaves, null counts as absent."""
    return {key: value for key, value in _leaves(config, "") if key not in NOT_SETTINGS}


def _leaves(config: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name}.")
        elif value is not None:
            yield f"{path}{name}", value if isinstance(value, str) else json.dumps(value)


def _group(key: tuple[Any, ...], rows: list[tuple[int, Measurement]]) -> Group:
    case, agent, settings, label, metric, stage, unit = key
    by_seed: dict[int, list[float]] = {}
    for seed, row in rows:
        if row.value is not None:
            by_seed.setdefault(seed, []).append(row.value)
    by_seed = dict(sorted(by_seed.items()))
    values = [sum(found) / len(found) for found in by_seed.values()]
    mean, error = mean_and_error(values)
    reasons = [row.not_measured or "no reason given" for _, row in rows if row.value is None]
    return Group(
        case=case,
        agent=agent,
        settings=dict(settings),
        label=label,
        metric=metric,
        stage=stage,
        unit=unit,
        seeds=list(by_seed),
        values=values,
        mean=mean,
        standard_error=error,
        not_measured=list(dict.fromkeys(reasons)),
    )


def mean_and_error(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The mean, and its standard error s / sqrt(n) with the sample standard deviation s (n - 1 in its denominator)."""
    if not values:
        return None, None
    mean = sum(values) / len(values)
    if len(values) == 1:
        return mean, None
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))
