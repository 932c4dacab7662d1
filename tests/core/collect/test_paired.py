"""Paired tests, held against scipy's."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netwright.collect.paired import paired_by_seed, paired_test

NUMBERS = st.lists(st.tuples(*[st.floats(-1e3, 1e3)] * 2), min_size=2, max_size=12)


@given(NUMBERS)
def test_p_values_are_those_of_students_test(pairs: list[tuple[float, float]]) -> None:
    stats = pytest.importorskip("scipy.stats")
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found = paired_test(first, second)
    assume(found.standard_error is not None and found.standard_error > 1e-6)
    assert found.p_value == pytest.approx(stats.ttest_rel(first, second).pvalue, abs=1e-9)


def test_what_does_not_vary() -> None:
    assert paired_test([1.0, 2.0], [1.0, 2.0]).p_value == 1.0
    assert paired_test([2.0, 3.0], [1.0, 2.0]).p_value == 0.0


def test_one_pair_is_no_test() -> None:
    found = paired_test([2.0], [1.0])
    assert (found.pairs, found.difference, found.p_value) == (1, 1.0, None)
    assert found.not_measured == "1 pairs of seeds; a test needs two"


def test_only_shared_seeds_count() -> None:
    found = paired_by_seed({0: 1.0, 1: 2.0, 2: 4.0}, {1: 1.0, 2: 2.0, 3: 9.0})
    assert (found.pairs, found.difference) == (2, 1.5)
