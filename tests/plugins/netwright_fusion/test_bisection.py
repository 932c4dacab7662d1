"""Bisection finds the first step after which things are wrong, in logarithmically many looks."""

from hypothesis import given
from hypothesis import strategies as st

from netwright_fusion.bisection import first_wrong


@given(st.integers(1, 500), st.data())
def test_the_first_wrong_prefix_is_found_in_few_looks(length: int, data: st.DataObject) -> None:
    culprit = data.draw(st.integers(1, length))
    looks = []

    def is_wrong(prefix: int) -> bool:
        looks.append(prefix)
        return prefix >= culprit

    assert first_wrong(length, is_wrong) == culprit
    assert len(looks) <= length.bit_length()
