"""Pareto fronts."""

from netwright.collect.pareto import pareto_front


def test_the_front_is_what_nothing_dominates() -> None:
    costs = {"small": 1.0, "large": 4.0, "bad": 3.0, "middle": 2.0, "unscored": 0.1}
    scores = {"small": 0.5, "large": 0.9, "bad": 0.7, "middle": 0.8}
    assert pareto_front(costs, scores) == ["small", "middle", "large"]


def test_equals_do_not_dominate_each_other() -> None:
    assert pareto_front({"a": 1.0, "b": 1.0}, {"a": 0.5, "b": 0.5}) == ["a", "b"]
