"""What is collected of many runs: their measurements over seeds, and what went wrong."""

from typing import Literal

from netwright.collect.aggregate import Group
from netwright.collect.fast_p import FastP
from netwright.result import Record


class Problem(Record):
    """Something about one run's folder that the table cannot show."""

    kind: Literal["failed", "partial", "unfinished", "unreadable", "duplicate"]
    folder: str
    """Relative to the collected folder."""
    message: str


class CollectedRuns(Record):
    """The measurements of all runs below a folder, over seeds."""

    schema_version: Literal[1] = 1
    name: str
    """The collected folder's name."""
    runs: int
    """How many runs the groups hold."""
    varying: list[str]
    """The configuration keys that vary between the runs, but for seed and baseline."""
    metrics: list[str]
    """Those to show first."""
    groups: list[Group]
    fast_p: list[FastP] = []
    """Per agent that optimises cases, how many of its answers are right and how much faster."""
    problems: list[Problem]

    @property
    def failed(self) -> int:
        """How many runs failed."""
        return sum(problem.kind == "failed" for problem in self.problems)

    @property
    def further_metrics(self) -> list[str]:
        """The measured metrics that are not among those to show first."""
        measured = dict.fromkeys(group.metric for group in self.groups if group.mean is not None)
        return [metric for metric in measured if metric not in self.metrics]

    def missing_values(self) -> list[tuple[str, str]]:
        """Pairs of a metric that some run lacks, and why."""
        return [(group.metric, reason) for group in self.groups for reason in group.not_measured]
