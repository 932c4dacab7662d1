"""Medians, speed-ups and their bootstrap confidence intervals (Efron and Tibshirani, 1993, percentile method)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Ratio:
    """A ratio of two medians with the ends of its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f}x [{self.low:.2f}, {self.high:.2f}]"


def median_interval(samples: Sequence[float], *, confidence: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """The bootstrap confidence interval of the median of `samples`, in their unit.

    Raises:
        ValueError: There are no samples.
    """
    values = np.asarray(samples, dtype=float)
    medians = np.median(values[_resample(values.size, seed)], axis=1)
    return _interval(medians, confidence)


def ratio_of_medians(
    numerator: Sequence[float], denominator: Sequence[float], *, confidence: float = 0.95, seed: int = 0
) -> Ratio:
    """median(numerator) / median(denominator) with its bootstrap confidence interval.

    Sequences of one length are taken as paired (round by round, drawn together, so that what disturbed a round cancels
    out); others are resampled independently.

    Raises:
        ValueError: One of them is empty.
    """
    above, below = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    rows = _resample(above.size, seed)
    columns = rows if above.size == below.size else _resample(below.size, seed + 1)
    ratios = np.median(above[rows], axis=1) / np.median(below[columns], axis=1)
    return Ratio(float(np.median(above) / np.median(below)), *_interval(ratios, confidence))


def _resample(size: int, seed: int) -> np.ndarray:
    if size == 0:
        raise ValueError("no samples")
    return np.random.default_rng(seed).integers(0, size, (RESAMPLES, size))


def _interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
