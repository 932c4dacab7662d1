"""Tests of the search for widths that hit a budget of latency."""

import pytest
import torch

from netwright_pruning.budget import Target
from netwright_pruning.groups import ChannelGroup
from netwright_pruning.latency_search import LatencySearch
from netwright_pruning.ranking import Ranking, Widths, score_units
from netwright_pruning.stopwatch import Reading

UNITS = 1000


@pytest.mark.parametrize("cliff", [0.45, 0.5, 0.6, 0.65])
def test_a_cliff_is_found(cliff: float) -> None:
    def latency(widths: Widths) -> Reading:
        """Falls slowly with the width, and steeply where a width that many layers share goes."""
        lost = 1 - widths["wide"] / UNITS
        ratio = 1 - 0.3 * lost - 0.5 * min(1.0, max(0.0, (lost - cliff) / 0.08))
        return Reading(10.0, ratio, ratio - 0.001, ratio + 0.001)

    group = ChannelGroup("wide", UNITS, 1, ("conv",))
    ranking = Ranking([score_units(group, torch.rand(UNITS), 1)], isomorphic=False)
    search = LatencySearch(latency, ranking, Target(6.0, 0.01), 10.0)
    _, found = search.run(0.0, 0.4)
    assert search.within
    assert found == pytest.approx(6.0, rel=0.01)
    assert len(search.attempts) <= 8


@pytest.mark.parametrize("fraction", [0.5, 0.7, 0.75])
def test_where_many_widths_fall_at_once_they_are_narrowed_one_by_one(fraction: float) -> None:
    def latency(widths: Widths) -> Reading:
        ratio = sum(widths.values()) / sum(alike.whole.values())
        return Reading(10.0, ratio, ratio - 0.001, ratio + 0.001)

    groups = [ChannelGroup(f"layer{index}", 160, 1, ("conv",)) for index in range(20)]
    alike = Ranking([score_units(group, torch.ones(160), 32) for group in groups], isomorphic=False)
    search = LatencySearch(latency, alike, Target(10 * fraction, 0.01), 10.0)
    search.run(0.0, 0.4)
    assert search.within
    assert any(attempt.narrowed for attempt in search.attempts)
