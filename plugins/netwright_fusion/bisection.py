"""Bisection: the shortest prefix of a sequence of steps that is wrong."""

from collections.abc import Callable


def first_wrong(length: int, is_wrong: Callable[[int], bool]) -> int:
    """The length of the shortest wrong prefix, where the whole of `length` steps is wrong and none at all is right.

    Args:
        is_wrong: Whether a prefix of that many steps is wrong.
    """
    low, high = 0, length
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_wrong(middle) else (middle, high)
    return high
