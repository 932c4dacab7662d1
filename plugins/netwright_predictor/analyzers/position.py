"""Positions: the angles by which rotary embeddings turn queries and keys."""

from collections.abc import Iterator
from math import prod

from torch import Tensor, nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

ONE = Polynomial.constant(1)


class RotaryAnalyzer(Analyzer):
    """Rotary positions (Su et al., arXiv:2104.09864, section 3.2.2): cosine and sine of position times frequency.

    Where positions meet frequencies in a matrix product of (frequencies, 1) by (1, positions), it counts
    (`is_product`); a product of broadcast tensors does not.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("positions", "frequencies", "is_product", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        for frequencies in sorted({each.numel() for each in _frequencies(site.module)}):
            for dims in sorted(site.flow.dims.values(), key=len):  # positions have fewer dimensions than hidden states
                for positions in (dims, dims[:2]):
                    for is_product in (0, 1):
                        yield {
                            "positions": prod(positions, start=ONE),
                            "frequencies": Polynomial.constant(frequencies),
                            "is_product": Polynomial.constant(is_product),
                        }

    def compute_flops(self, **parameters: int) -> int:
        """2 * positions * frequencies where they meet in a matrix product."""
        return 2 * parameters["positions"] * parameters["frequencies"] * parameters["is_product"]

    def compute_backward_flops(self, **parameters: int) -> int:
        """Neither positions nor frequencies are learned."""
        del parameters
        return 0

    def compute_other_operations(self, **parameters: int) -> int:
        """A product where it counts as no matrix product; cosine and sine of each angle twice, each scaled."""
        angles = parameters["positions"] * parameters["frequencies"]
        return angles * (8 + 1 - parameters["is_product"])

    def compute_memory_reads(self, **parameters: int) -> int:
        return 8 * parameters["positions"] + 4 * parameters["frequencies"]

    def compute_memory_writes(self, **parameters: int) -> int:
        """Cosine and sine, each over both halves of a head."""
        return 4 * parameters["positions"] * parameters["frequencies"] * parameters["dtype_bytes"]


def _frequencies(module: nn.Module) -> list[Tensor]:
    return [each for name, each in module._buffers.items() if each is not None and "freq" in name]


def is_rotary(module: nn.Module) -> bool:
    """Whether a module has frequencies of rotary positions and no parameters."""
    return bool(_frequencies(module)) and not any(True for _ in module.parameters())
