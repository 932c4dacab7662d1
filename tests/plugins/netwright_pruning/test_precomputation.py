"""Kept scores: read while they may be trusted, and computed anew when anything changed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_pruning import BasePruningMethod, Budget, Importance, prune_to_budget
from netwright_pruning.experiment import CachePolicy, PrecomputationSection
from netwright_pruning.precomputation import precomputing


class Counting(BasePruningMethod):
    """The sums of squared weights, and how often they were asked for."""

    def __init__(self, power: int = 2) -> None:
        self.power = power
        type(self).asked = 0

    asked = 0

    def importance(self, *, seed: int) -> Importance:
        base = super().importance(seed=seed)

        def score(group: object) -> Tensor | None:
            type(self).asked += 1
            found = base(group)
            return None if found is None else found**self.power

        return score


Prune = Callable[..., dict[str, tuple[int, int]]]


@pytest.fixture
def prune(residual: nn.Module, images: Inputs, tmp_path: Path) -> Prune:
    def run(duration: float = 3600, power: int = 2, *, enabled: bool = True) -> dict[str, tuple[int, int]]:
        policy = CachePolicy(cache_duration=duration)
        section = PrecomputationSection(enabled=enabled, cache_dir=tmp_path, importance_scores=policy)
        with precomputing(section):
            return prune_to_budget(residual, images, Budget("macs", 0.5), Counting(power), seed=0, round_to=1).widths

    return run


def test_scores_are_computed_once(prune: Prune, residual: nn.Module) -> None:
    first = prune()
    assert Counting.asked > 0
    assert prune() == first
    assert Counting.asked == 0
    prune(power=3)  # another setting of the method
    assert Counting.asked > 0
    with torch.no_grad():
        residual.get_parameter("inner1.weight").mul_(2)
    prune()
    assert Counting.asked > 0


def test_scores_that_are_too_old_or_damaged_are_computed_anew(prune: Prune, tmp_path: Path) -> None:
    first = prune()
    (kept,) = (tmp_path / "scores").iterdir()
    os.utime(kept, (0, kept.stat().st_mtime - 100))
    prune(duration=200)
    assert Counting.asked == 0
    prune(duration=50)
    assert Counting.asked > 0
    kept.write_bytes(b"damaged")
    assert prune() == first
    assert Counting.asked > 0


def test_nothing_is_kept_unless_it_is_enabled(prune: Prune, tmp_path: Path) -> None:
    prune(enabled=False)
    assert list(tmp_path.iterdir()) == []
