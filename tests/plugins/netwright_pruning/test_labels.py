"""Labels: what is joined stands or falls together, and what is held stays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netwright_pruning.labels import Labels

WHY = ("here", "add")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_joining_makes_classes(pairs: list[tuple[int, int]]) -> None:
    labels = Labels()
    axis = labels.fresh(10)
    expected = [{index} for index in range(10)]
    for one, other in pairs:
        labels.join(axis[[one]], axis[[other]], WHY)
        if expected[one] is not expected[other]:
            expected[one] |= expected[other]
            for index in expected[other]:
                expected[index] = expected[one]
    classes = labels.find(axis)
    for one in range(10):
        assert {other for other in range(10) if classes[one] == classes[other]} == expected[one]


def test_a_class_is_held_when_any_of_its_labels_is() -> None:
    labels = Labels()
    axis = labels.fresh(4)
    labels.hold(axis[:1], WHY)
    labels.join(axis[:2], axis[2:], ("there", "mul"))
    assert labels.free(axis).tolist() == [False, True, False, True]
    assert labels.reason(int(axis[2])) == WHY
    assert labels.reason(int(axis[3])) is None


def test_what_meets_a_fixed_index_is_held() -> None:
    labels = Labels()
    axis = labels.fresh(3)
    labels.join(axis, np.array([0, axis[1], 0]), WHY)
    assert labels.free(axis).tolist() == [False, True, False]
    assert not labels.free(np.zeros(2, np.int64)).any()
