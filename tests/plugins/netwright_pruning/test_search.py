"""The search: hits the band where some widths do, and says how near it came where none do."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import UserError
from netwright_pruning.budget import Target
from netwright_pruning.groups import ChannelGroup
from netwright_pruning.ranking import Ranking, Widths, score_units
from netwright_pruning.search import BudgetSearch


def chain(sizes: list[int], round_to: int) -> Ranking:
    generator = torch.Generator().manual_seed(0)
    groups = [ChannelGroup(f"layer{i}", size, 1, ("conv",)) for i, size in enumerate(sizes)]
    scored = [score_units(group, torch.rand(group.channels, generator=generator), round_to) for group in groups]
    return Ranking(scored, isomorphic=False)


def cost(widths: Widths) -> float:
    """Products of neighbouring widths, as in a chain of layers between 3 inputs and 10 outputs."""
    sizes = [3, *widths.values(), 10]
    return float(sum(left * right for left, right in pairwise(sizes)))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(300, 600), min_size=2, max_size=5), st.floats(0.2, 0.9))
def test_unrounded_widths_hit_any_reachable_budget(sizes: list[int], fraction: float) -> None:
    ranking = chain(sizes, 1)
    unpruned = cost(ranking.whole)
    target = Target(fraction * unpruned, 0.01)
    search = BudgetSearch(cost, ranking, target)
    assert target.contains(cost(search.run(unpruned)))
    assert len(search.attempts) < 40


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(6, 16).map(lambda n: 8 * n), min_size=2, max_size=5), st.floats(0.2, 0.9))
def test_with_rounded_widths_the_nearest_attempt_is_returned(sizes: list[int], fraction: float) -> None:
    ranking = chain(sizes, 8)
    unpruned = cost(ranking.whole)
    target = Target(fraction * unpruned, 0.01)
    search = BudgetSearch(cost, ranking, target)
    error = abs(target.error(cost(search.run(unpruned))))
    assert error == pytest.approx(min(abs(attempt.error) for attempt in search.attempts))
    assert all(attempt.error == pytest.approx(target.error(attempt.achieved)) for attempt in search.attempts)


def test_single_steps_reach_what_no_ratio_reaches() -> None:
    ranking = chain([64, 64, 64], 8)
    unpruned = cost(ranking.whole)
    reached = 0
    for percent in range(20, 90, 5):
        search = BudgetSearch(cost, ranking, Target(percent / 100 * unpruned, 0.02))
        search.run(unpruned)
        hits = [attempt for attempt in search.attempts if abs(attempt.error) <= 0.02]
        reached += any(attempt.narrowed for attempt in hits)
    assert reached > 0


def test_the_search_stops_at_the_first_hit() -> None:
    ranking = chain([100, 100], 1)
    unpruned = cost(ranking.whole)
    search = BudgetSearch(cost, ranking, Target(0.5 * unpruned, 0.05))
    search.run(unpruned)
    assert [abs(attempt.error) <= 0.05 for attempt in search.attempts] == [False] * (len(search.attempts) - 1) + [True]


def test_a_budget_below_the_floor_is_refused_with_the_floor() -> None:
    ranking = chain([64, 64], 8)
    unpruned = cost(ranking.whole)  # 3 * 64 + 64 * 64 + 64 * 10 = 4928; at 8 channels 3 * 8 + 8 * 8 + 8 * 10 = 168
    with pytest.raises(UserError, match=r"budget of 100 cannot be met.*leave 168.*0\.034"):
        BudgetSearch(cost, ranking, Target(100, 0.01)).run(unpruned)
