"""Linear layers: every row of the input meets a weight matrix."""

from collections.abc import Iterator
from math import prod

from torch import Tensor, nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

ONE = Polynomial.constant(1)
GROUPS = ("groups", "n_groups", "num_groups")
"""What block-diagonal layers call the number of their blocks."""


def matrices(module: nn.Module) -> list[Tensor]:
    """The weight matrices that a module owns itself."""
    return [each for each in module._parameters.values() if each is not None and each.dim() == 2]


class LinearAnalyzer(Analyzer):
    """One product of (rows, in_features) and (in_features, out_features).

    For `torch.nn.Linear`, GPT-2's `Conv1D`, whose weight lies the other way round, and modules that multiply by a
    matrix of their own, such as the routers of mixtures of experts.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("rows", "in_features", "out_features", "has_bias", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        weights = matrices(site.module)
        if len(weights) != 1:
            return
        bias = Polynomial.constant(int(site.module._parameters.get("bias") is not None))
        for dims in site.flow.dims.values():
            for inner in (1, 2):  # the features may come in two dimensions
                features = prod(dims[-inner:], start=ONE)
                in_features = features.as_constant()
                if in_features is not None and in_features in weights[0].shape:
                    yield {
                        "rows": prod(dims[:-inner], start=ONE),
                        "has_bias": bias,
                        "in_features": features,
                        "out_features": Polynomial.constant(weights[0].numel() // in_features),
                    }

    def compute_flops(self, **parameters: int) -> int:
        """2 * rows * in_features * out_features."""
        return 2 * parameters["rows"] * parameters["in_features"] * parameters["out_features"]

    def compute_other_operations(self, **parameters: int) -> int:
        """The bias: one addition per output."""
        return parameters["has_bias"] * parameters["rows"] * parameters["out_features"]

    def compute_memory_reads(self, **parameters: int) -> int:
        inputs = parameters["rows"] * parameters["in_features"]
        weights = parameters["out_features"] * (parameters["in_features"] + parameters["has_bias"])
        return (inputs + weights) * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["rows"] * parameters["out_features"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Its input, for the gradient of its weight."""
        return parameters["rows"] * parameters["in_features"] * parameters["dtype_bytes"]

    def compute_kept_inputs(self, **parameters: int) -> int:
        return self.compute_intermediates(**parameters)


class GroupedLinearAnalyzer(LinearAnalyzer):
    """A block-diagonal linear layer: features fall into groups, and each group meets a matrix of its own.

    `in_features` and `out_features` are those of one group; `rows` counts a row of all groups once.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return {**super().get_required_parameters(), "groups": "int"}

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        weight = site.module._parameters.get("weight")
        groups = next((n for n in (getattr(site.module, name, None) for name in GROUPS) if isinstance(n, int)), None)
        if weight is None or groups is None or weight.numel() % groups:
            return
        one_group = weight.numel() // groups
        for dims in site.flow.dims.values():
            for rows, features in ((dims[:-1], dims[-1:]), (dims[:-2], dims[-2:])):
                width = prod(features, start=ONE).as_constant()
                if width and width % groups == 0 and one_group % (width // groups) == 0:
                    in_features = width // groups
                    yield {
                        "rows": prod(rows, start=ONE),
                        "groups": Polynomial.constant(groups),
                        "in_features": Polynomial.constant(in_features),
                        "out_features": Polynomial.constant(one_group // in_features),
                        "has_bias": Polynomial.constant(int(site.module._parameters.get("bias") is not None)),
                    }

    def compute_flops(self, **parameters: int) -> int:
        """2 * rows * groups * in_features * out_features."""
        return parameters["groups"] * super().compute_flops(**parameters)

    def compute_other_operations(self, **parameters: int) -> int:
        return parameters["groups"] * super().compute_other_operations(**parameters)

    def compute_memory_reads(self, **parameters: int) -> int:
        return parameters["groups"] * super().compute_memory_reads(**parameters)

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["groups"] * super().compute_memory_writes(**parameters)

    def compute_intermediates(self, **parameters: int) -> int:
        return parameters["groups"] * super().compute_intermediates(**parameters)
