"""Mixtures of experts: every token meets a few of many feed-forward networks."""

from collections.abc import Iterator
from math import prod

from torch import Tensor, nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.analyzers.linear import LinearAnalyzer
from netwright_predictor.polynomial import Polynomial

ONE = Polynomial.constant(1)
TOP_K = ("num_experts_per_tok", "top_k", "moe_top_k", "moe_topk", "num_experts_per_token", "moe_k")


def stacked(module: nn.Module) -> list[Tensor]:
    """The weights of all experts: parameters with one matrix per expert."""
    return [each for each in module._parameters.values() if each is not None and each.dim() == 3]


class ExpertsAnalyzer(Analyzer):
    """Routed experts whose weights are 3-D parameters (Shazeer et al., arXiv:1701.06538; Switch, arXiv:2101.03961).

    `rows` tokens each meet `top_k` of `num_experts` experts with `expert_weights` weights in matrices. Of an MLP with
    `intermediate_size`, the gate and up halves are one matrix or two, so that only the number of weights matters.
    """

    def get_required_parameters(self) -> dict[str, str]:
        names = ("rows", "top_k", "num_experts", "expert_weights", "hidden_size", "intermediate_size", "dtype_bytes")
        return dict.fromkeys(names, "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        weights = stacked(site.module)
        if not weights:
            return
        experts = weights[0].shape[0]
        each = sum(weight.numel() for weight in weights if weight.shape[0] == experts) // experts
        hidden = next((dims for dims in site.flow.dims.values() if dims and dims[-1].as_constant()), None)
        if hidden is None:
            return
        width = hidden[-1].as_constant() or 1
        shared = {
            "rows": prod(hidden[:-1], start=ONE),
            "num_experts": Polynomial.constant(experts),
            "expert_weights": Polynomial.constant(each),
            "hidden_size": hidden[-1],
            "intermediate_size": Polynomial.constant(_intermediate(weights, width)),
        }
        routed = [
            dims[-1].as_constant() for name, dims in site.flow.dims.items() if "index" in name or "indices" in name
        ]
        configured = [site.config.get(name) for name in TOP_K]
        for top_k in dict.fromkeys([*routed, *configured, 1, experts]):
            if isinstance(top_k, int):
                yield {**shared, "top_k": Polynomial.constant(top_k)}

    def compute_flops(self, **parameters: int) -> int:
        """2 * rows * top_k * expert_weights."""
        return 2 * self._meetings(**parameters) * parameters["expert_weights"]

    def compute_other_operations(self, **parameters: int) -> int:
        """Activation (5 per number), gate, routing weight and sum over experts."""
        return self._meetings(**parameters) * (6 * parameters["intermediate_size"] + 2 * parameters["hidden_size"])

    def compute_memory_reads(self, **parameters: int) -> int:
        """The rows, and the weights of all experts that are met: at most one per row and choice, at most all."""
        met = min(parameters["num_experts"], self._meetings(**parameters))
        inputs = self._meetings(**parameters) * parameters["hidden_size"]
        return (inputs + met * parameters["expert_weights"]) * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["rows"] * parameters["hidden_size"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Per row and expert: the row, gate and up, their activation and product, and what comes down."""
        kept = 2 * parameters["hidden_size"] + 4 * parameters["intermediate_size"]
        return self._meetings(**parameters) * kept * parameters["dtype_bytes"]

    def _meetings(self, **parameters: int) -> int:
        return parameters["rows"] * parameters["top_k"]


class RouterAnalyzer(LinearAnalyzer):
    """The router of a mixture of experts: every expert's score for every token, softmax or sigmoid, and the best."""

    def compute_other_operations(self, **parameters: int) -> int:
        """Per score: maximum, difference, exponential, sum, quotient, and one comparison."""
        return super().compute_other_operations(**parameters) + 6 * parameters["rows"] * parameters["out_features"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Its input and the scores in float32."""
        return super().compute_intermediates(**parameters) + 4 * parameters["rows"] * parameters["out_features"]

    def compute_kept_inputs(self, **parameters: int) -> int:
        return super().compute_intermediates(**parameters)


def _intermediate(weights: list[Tensor], width: int) -> int:
    """The hidden width of an expert: the side of its matrices that is not the model's, undoubled."""
    sides = [side for weight in weights for side in weight.shape[1:] if side != width]
    return min(sides, default=width)
