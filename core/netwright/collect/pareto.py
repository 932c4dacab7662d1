"""Pareto fronts: the labels than which no other is better in one respect and at least as good in the other."""

from collections.abc import Mapping


def pareto_front(costs: Mapping[str, float], scores: Mapping[str, float]) -> list[str]:
    """The labels on the front, cheapest first.

    Args:
        costs: Per label, what less of is better.
        scores: Per label, what more of is better; labels that lack either are left out.
    """
    labels = [label for label in costs if label in scores]
    front = [
        label
        for label in labels
        if not any(
            costs[other] <= costs[label]
            and scores[other] >= scores[label]
            and (costs[other] < costs[label] or scores[other] > scores[label])
            for other in labels
        )
    ]
    return sorted(front, key=lambda label: (costs[label], -scores[label]))
