"""The entry: an analyzer together with the modules that it is for."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from netwright_predictor.analyzers.analyzer import Analyzer


@dataclass(frozen=True)
class Entry:
    """An analyzer and the modules that it is for.

    Attributes:
        fits: Whether a module, by its class or its structure, may be computed by the analyzer. It may say yes too
            often: what does not agree with the counts is not accepted.
    """

    analyzer: Analyzer
    fits: Callable[[nn.Module], bool]
