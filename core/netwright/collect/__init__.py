"""Collecting: many runs as one table, with mean and standard error over seeds."""

from netwright.collect.collection import Collection, Problem, collect

__all__ = ["Collection", "Problem", "collect"]
