"""Global and local attention: a few tokens that see all, and blocks that see themselves and those few."""

from collections.abc import Iterator

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.analyzers.instance import integer
from netwright_predictor.polynomial import Polynomial

CONSTANTS = ("block_size", "num_heads", "head_dim")


class GlobalLocalAttentionAnalyzer(Analyzer):
    """PEGASUS-X's encoder (Phang et al., arXiv:2208.04347, section 3.2).

    `length` positions in whole blocks of `block_size`, and `global_length` tokens besides.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("batch", "length", "global_length", *CONSTANTS, "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        tokens, others = site.flow.dims.get("token_hidden_states"), site.flow.dims.get("global_hidden_states")
        constants = {name: integer(site.module, name) for name in CONSTANTS}
        known = {name: Polynomial.constant(value) for name, value in constants.items() if value is not None}
        if tokens is not None and others is not None and len(known) == len(CONSTANTS):
            yield {"batch": tokens[0], "length": tokens[1], "global_length": others[1], **known}

    def compute_flops(self, **parameters: int) -> int:
        """4 * batch * heads * head_dim * (global * (global + length) + length * (global + block_size))."""
        return 4 * self._pairs(**parameters) * parameters["head_dim"]

    def compute_other_operations(self, **parameters: int) -> int:
        """Scale, mask, and softmax as maximum, difference, exponential, sum and quotient."""
        return 7 * self._pairs(**parameters)

    def compute_memory_reads(self, **parameters: int) -> int:
        """Queries, keys and values of all tokens."""
        return 3 * self.compute_memory_writes(**parameters)

    def compute_memory_writes(self, **parameters: int) -> int:
        tokens = parameters["batch"] * (parameters["length"] + parameters["global_length"])
        return tokens * parameters["num_heads"] * parameters["head_dim"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Queries, keys, values and the softmax."""
        return self.compute_memory_reads(**parameters) + self._pairs(**parameters) * parameters["dtype_bytes"]

    def _pairs(self, **parameters: int) -> int:
        length, few = parameters["length"], parameters["global_length"]
        seen = few * (few + length) + length * (few + parameters["block_size"])
        return parameters["batch"] * parameters["num_heads"] * seen
