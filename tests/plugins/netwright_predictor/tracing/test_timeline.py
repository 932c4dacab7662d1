"""The greatest moment of a step, and layers that stand for others."""

from hypothesis import given
from hypothesis import strategies as st

from netwright_predictor.tracing.timeline import Stack, Window, greatest_moment

FORWARD, BACKWARD = Window(0, 2), Window(2, 5)


def test_the_greatest_moment_is_that_with_most_bytes() -> None:
    found = greatest_moment([5, 10, -10, 3], [], end_of_forward=4)
    assert (found.bytes, found.kept, found.moment) == (15, 8, "forward")


@given(st.integers(1, 100), st.integers(1, 100), st.integers(1, 100), st.integers(0, 50))
def test_one_layer_stands_for_all(kept: int, scratch: int, gradient: int, spared: int) -> None:
    """Each layer keeps `kept` until its backward pass, which takes `scratch` for a while and leaves `gradient`."""
    layer_forward, layer_backward = [kept], [scratch, gradient, -scratch, -kept]
    every = [*layer_forward * (spared + 1), *layer_backward * (spared + 1)]
    expected = greatest_moment(every, [], end_of_forward=spared + 1)
    stack = Stack("layers.0", spared, Window(0, 1), Window(1, 5), None)
    found = greatest_moment([*layer_forward, *layer_backward], [stack], end_of_forward=1)
    assert (found.bytes, found.kept) == (expected.bytes, expected.kept)


def test_what_is_handed_on_goes_while_the_next_layer_computes() -> None:
    """Nine layers each make an output of 10 and keep 1; only two outputs are there at once."""
    stack = Stack("layers.0", 8, Window(1, 3), None, transient=1)
    found = greatest_moment([10, 10, 1, -10], [stack], end_of_forward=4)
    assert found.kept == 10 + 9
    assert found.bytes == 20 + 9
