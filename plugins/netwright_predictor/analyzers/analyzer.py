"""The analyzer: the contract of everything that says what one call of a module costs."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from netwright_predictor.polynomial import Polynomial
from netwright_predictor.tracing.flow import Flow

Dimensions = Mapping[str, Polynomial]
"""Parameters of an analyzer that follow from the shapes of a call."""


@dataclass(frozen=True)
class Site:
    """A module in its place.

    Attributes:
        path: Its path in the model ("" is the model).
        module: On the meta device or fake: never its numbers, only its structure.
        flow: One of its calls.
        config: The configuration of the part of the model that it belongs to, as a dictionary.
    """

    path: str
    module: nn.Module
    flow: Flow
    config: Mapping[str, Any]


class Analyzer(ABC):
    """What a module itself does in one call, without its children: pure functions of integers.

    All take the parameters that `get_required_parameters` names, as keywords. FLOPs count 2 per multiply-accumulate of
    matrix products, convolutions and attention, and nothing else; `compute_other_operations` counts the rest.
    """

    @abstractmethod
    def get_required_parameters(self) -> dict[str, str]:
        """Names of the parameters and their Python types."""

    @abstractmethod
    def dimensions(self, site: Site) -> Iterable[Dimensions]:
        """The parameters that follow from the shapes of a call, best guess first.

        Whoever analyzes takes the first whose FLOPs agree with what was counted in every trace. All other parameters
        are looked up in the instance and the configuration (see `netwright_predictor.population`).
        """

    def compute_flops(self, **parameters: int) -> int:
        """Floating-point operations of matrix products, convolutions and attention, forward."""
        del parameters
        return 0

    def compute_backward_flops(self, **parameters: int) -> int:
        """The same for the backward pass: two products, by input and by weight, for one forward."""
        return 2 * self.compute_flops(**parameters)

    def compute_other_operations(self, **parameters: int) -> int:
        """Floating-point operations of everything else: additions, activations, normalisations, softmax."""
        del parameters
        return 0

    @abstractmethod
    def compute_memory_reads(self, **parameters: int) -> int:
        """Bytes read: inputs and weights, each once."""

    @abstractmethod
    def compute_memory_writes(self, **parameters: int) -> int:
        """Bytes written: outputs."""

    def compute_intermediates(self, **parameters: int) -> int:
        """Bytes that autograd keeps for the backward pass of the module's own operations, beyond its weights.

        Every tensor that one of its operations saves counts, each once, those that it was given as well: see
        `compute_kept_inputs`. A tensor that a child saves is the child's.
        """
        del parameters
        return 0

    def compute_kept_inputs(self, **parameters: int) -> int:
        """The part of `compute_intermediates` that are tensors it was given, not made.

        Another module may keep the same tensor (queries, keys and values are all computed from one), so whoever adds
        up must count what several keep once.
        """
        del parameters
        return 0
