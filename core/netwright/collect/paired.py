"""Paired tests: whether two labels differ when both were measured under the same seeds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from netwright.collect.aggregate import mean_and_error
from netwright.result import Record

MISSING = "no p-value without scipy: pip install 'netwright[training]'"


class PairedTest(Record):
    """Two samples of one metric, pair by pair."""

    pairs: int
    difference: float | None
    """The mean of first minus second; None without pairs."""
    standard_error: float | None
    """Of that mean; None for fewer than two pairs."""
    p_value: float | None
    """Two-sided, of Student's paired t-test (the differences taken as normal); None for fewer than two pairs."""
    not_measured: str | None = None
    """Why there is no p-value."""


def paired_test(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """Test whether the differences of pairs have a mean other than zero (Student, 1908).

    Pairs whose differences are all the same, and not zero, have a p-value of 0: nothing varies.

    Raises:
        ValueError: The sequences are not of one length.
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    mean, error = mean_and_error(differences)
    if mean is None or error is None:
        reason = f"{len(differences)} pairs of seeds; a test needs two"
        return PairedTest(
            pairs=len(differences), difference=mean, standard_error=error, p_value=None, not_measured=reason
        )
    if error == 0:
        p_value: float | None = 1.0 if mean == 0 else 0.0
    else:
        p_value = _two_sided(mean / error, len(differences) - 1)
    return PairedTest(
        pairs=len(differences),
        difference=mean,
        standard_error=error,
        p_value=p_value,
        not_measured=MISSING if p_value is None else None,
    )


def paired_by_seed(first: Mapping[Any, float], second: Mapping[Any, float]) -> PairedTest:
    """`paired_test` over the keys (seeds, say) that both have."""
    shared = [key for key in first if key in second]
    return paired_test([first[key] for key in shared], [second[key] for key in shared])


def _two_sided(statistic: float, freedom: int) -> float | None:
    """How likely a t of this size or more is by chance."""
    try:
        from scipy.special import stdtr
    except ImportError:
        return None
    return float(min(1.0, 2 * stdtr(freedom, -abs(statistic)))) if math.isfinite(statistic) else 0.0
