"""Feed-forward networks: what happens between the linear layers of an MLP."""

from collections.abc import Iterator
from math import prod

from torch import nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.analyzers.linear import matrices
from netwright_predictor.polynomial import Polynomial

ONE = Polynomial.constant(1)
DOWN = ("down_proj", "c_proj", "w2", "wo", "fc2", "dense_4h_to_h", "output_linear", "lin2", "fc_out", "out_proj")


class MlpAnalyzer(Analyzer):
    """An MLP, plain or gated (Shazeer, arXiv:2002.05202): its linear layers and activation are its children.

    A gate is one product per hidden number.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("rows", "intermediate_size", "is_gated", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        width = intermediate_width(site.module)
        if width is None:
            return
        weights = [weight for each in site.module.children() for weight in matrices(each)]
        is_gated = int(len(weights) > 2 or any(2 * width in weight.shape for weight in weights))
        for dims in site.flow.dims.values():
            yield {
                "rows": prod(dims[:-1], start=ONE),
                "intermediate_size": Polynomial.constant(width),
                "is_gated": Polynomial.constant(is_gated),
            }

    def compute_other_operations(self, **parameters: int) -> int:
        return parameters["rows"] * parameters["intermediate_size"] * parameters["is_gated"]

    def compute_memory_reads(self, **parameters: int) -> int:
        return 2 * self.compute_memory_writes(**parameters)

    def compute_memory_writes(self, **parameters: int) -> int:
        return self.compute_other_operations(**parameters) * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Both factors of the gate's product."""
        return 2 * self.compute_memory_writes(**parameters)


def intermediate_width(module: nn.Module) -> int | None:
    """The width of an MLP's hidden layer: what its last linear layer takes."""
    for name in DOWN:
        child = module._modules.get(name)
        weight = getattr(child, "weight", None)
        if weight is not None and weight.dim() == 2:
            width = getattr(child, "in_features", getattr(child, "nx", None))
            return width if isinstance(width, int) else None
    return None
