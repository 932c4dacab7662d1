"""Collecting: many runs as one table, with mean and standard error over seeds."""

from netwright.collect.collection import Collection, collect
from netwright.collect.records import Problem

__all__ = ["Collection", "Problem", "collect"]
