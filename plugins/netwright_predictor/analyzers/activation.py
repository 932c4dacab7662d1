"""Elementwise functions: activations, dropout, and modules that hand on what they are given."""

from collections.abc import Iterator, Mapping
from math import prod
from types import MappingProxyType

from torch import nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

ONE = Polynomial.constant(1)

OPERATIONS: Mapping[str, int] = MappingProxyType(
    {
        "ReLU": 1,
        "ReLUSquaredActivation": 2,
        "Sigmoid": 4,
        "Tanh": 6,
        "SiLU": 5,
        "SiLUActivation": 5,
        "GELU": 8,
        "GELUActivation": 8,
        "NewGELUActivation": 14,
        "FastGELUActivation": 14,
        "GELUTanh": 14,
        "PytorchGELUTanh": 14,
        "BloomGelu": 14,
        "QuickGELUActivation": 6,
    }
)
"""Operations per element, an exponential or a quotient counted as one."""
USUAL_OPERATIONS = 5

KEPT: Mapping[str, int] = MappingProxyType(
    {"NewGELUActivation": 4, "FastGELUActivation": 6, "QuickGELUActivation": 2, "ReLUSquaredActivation": 2}
)
"""Tensors that autograd keeps of functions that are spelled out in several operations; of all others, one."""


class ActivationAnalyzer(Analyzer):
    """A function of each element.

    `operations` and `kept` count operations and saved tensors per element.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("elements", "operations", "kept", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        name = type(site.module).__name__
        for dims in site.flow.dims.values():
            yield {
                "elements": prod(dims, start=ONE),
                "operations": Polynomial.constant(OPERATIONS.get(name, USUAL_OPERATIONS)),
                "kept": Polynomial.constant(KEPT.get(name, 1)),
            }

    def compute_other_operations(self, **parameters: int) -> int:
        return parameters["elements"] * parameters["operations"]

    def compute_memory_reads(self, **parameters: int) -> int:
        return parameters["elements"] * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["elements"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """The input, and what lies between the steps of a function that is spelled out."""
        return parameters["elements"] * parameters["kept"] * parameters["dtype_bytes"]

    def compute_kept_inputs(self, **parameters: int) -> int:
        return parameters["elements"] * parameters["dtype_bytes"]


class DropoutAnalyzer(Analyzer):
    """Dropout, which is nothing at all outside of training or at probability 0; and the identity.

    `drops` is 1 where elements are dropped in training, else 0.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("elements", "drops", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        drops = isinstance(site.module, nn.Dropout) and site.module.p > 0
        for dims in site.flow.dims.values():
            yield {"elements": prod(dims, start=ONE), "drops": Polynomial.constant(int(drops and site.module.training))}

    def compute_other_operations(self, **parameters: int) -> int:
        """One comparison and one product per element."""
        return 2 * parameters["elements"] * parameters["drops"]

    def compute_memory_reads(self, **parameters: int) -> int:
        return parameters["elements"] * parameters["drops"] * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return self.compute_memory_reads(**parameters)

    def compute_intermediates(self, **parameters: int) -> int:
        """The mask: one byte per element."""
        return parameters["elements"] * parameters["drops"]
