"""Tests of medians, ratios and their intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.harness.statistics import median_interval, ratio_of_medians

samples = st.lists(st.floats(0.1, 100.0), min_size=2, max_size=30)


@given(samples)
def test_the_interval_lies_within_the_samples_and_holds_their_median(values: list[float]) -> None:
    low, high = median_interval(values)
    assert min(values) <= low <= np.median(values) <= high <= max(values)


def test_the_interval_of_a_known_sample_covers_the_median_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for number in range(200):
        low, high = median_interval(list(generator.normal(10.0, 1.0, 25)), seed=number)
        covered += low <= 10.0 <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_more_confidence_widens_the_interval() -> None:
    values = list(np.random.default_rng(0).normal(size=40))
    narrow, wide = median_interval(values, confidence=0.5), median_interval(values, confidence=0.99)
    assert wide[0] < narrow[0] <= narrow[1] < wide[1]


@given(samples, st.floats(0.1, 10.0))
def test_a_ratio_of_paired_samples_in_one_proportion_is_that_proportion(values: list[float], factor: float) -> None:
    ratio = ratio_of_medians([value * factor for value in values], values)
    assert ratio.value == pytest.approx(factor)
    assert [ratio.low, ratio.high] == pytest.approx([factor, factor])


def test_what_disturbs_both_of_a_pair_alike_cancels_out() -> None:
    disturbance = np.random.default_rng(0).uniform(1.0, 10.0, 50)
    paired = ratio_of_medians(list(2 * disturbance), list(disturbance))
    unpaired = ratio_of_medians(list(2 * disturbance), list(disturbance[:-1]))
    assert paired.high - paired.low < 1e-9 < unpaired.high - unpaired.low


def test_a_ratio_reads_as_a_speed_up() -> None:
    assert str(ratio_of_medians([2.0, 2.0], [1.0, 1.0])) == "2.00x [2.00, 2.00]"


def test_there_is_no_interval_of_nothing() -> None:
    with pytest.raises(ValueError, match="no samples"):
        median_interval([])
