"""State-space layers: Mamba and Mamba-2, each with its convolution and its scan."""

from collections.abc import Iterator, Mapping

from torch import nn

from netwright_predictor.analyzers.instance import integer
from netwright_predictor.analyzers.mixer import MixerAnalyzer, chunks

STATE = ("ssm_state_size", "state_size", "d_state", "mamba_d_state")


class MambaAnalyzer(MixerAnalyzer):
    """Mamba's selective scan (Gu and Dao, arXiv:2312.00752, section 3.3), and its convolution.

    Per token and channel, the state of `state_size` numbers meets C. Kernel and pure PyTorch path multiply the same.
    Where the module multiplies by its projections' weights itself, instead of calling them, their products are its own:
    those of `time_step_rank` and, in Zamba, those of `projected` numbers for time step, B and C as well.
    """

    def own_parameters(self) -> tuple[str, ...]:
        return "intermediate_size", "state_size", "time_step_rank", "projected"

    def sizes(self, module: nn.Module) -> Iterator[Mapping[str, int]]:
        rank = integer(module, "time_step_rank", "dt_rank")
        weight = module._parameters.get("x_proj_weight")
        known = {
            name: value
            for name, value in (
                ("intermediate_size", integer(module, "intermediate_size", "d_inner")),
                ("state_size", integer(module, *STATE)),
            )
            if value is not None
        }
        if weight is not None:
            yield {**known, "time_step_rank": rank or 0, "projected": weight.shape[-2]}
        yield {**known, "time_step_rank": rank or 0, "projected": 0}
        yield {**known, "time_step_rank": 0, "projected": 0}

    def mix_flops(self, **parameters: int) -> int:
        """2 * batch * length * intermediate_size * (state_size + time_step_rank + projected)."""
        tokens = parameters["batch"] * parameters["length"]
        numbers = parameters["state_size"] + parameters["time_step_rank"] + parameters["projected"]
        return 2 * tokens * parameters["intermediate_size"] * numbers

    def state_size(self, **parameters: int) -> int:
        return parameters["intermediate_size"] * parameters["state_size"]

    def width(self, **parameters: int) -> int:
        return parameters["intermediate_size"]


class Mamba2Analyzer(MixerAnalyzer):
    """Mamba-2's chunked scan (Dao and Gu, arXiv:2405.21060, section 6, "SSD algorithm"), and its convolution.

    Of n = ⌈length / chunk_size⌉ chunks of c positions, the last one padded, with heads of p numbers and states of N:
    scores CᵀB (c·c·N), their product with the inputs (c·c·p), the chunks' states (c·N·p), the recurrence between the
    n + 1 states, as one product of a triangular matrix ((n + 1)²·p·N per sequence and head), and the outputs by state
    (c·N·p). This is the path without CUDA kernels, all groups' B and C repeated for each head. A fused kernel pads
    nothing that it multiplies beyond its own tiles, computes scores once per group, and passes states on one by one,
    n·p·N in all.

    Token by token, only the state of p·N numbers per head meets C.
    """

    def own_parameters(self) -> tuple[str, ...]:
        return "num_heads", "head_dim", "state_size", "chunk_size"

    def sizes(self, module: nn.Module) -> Iterator[Mapping[str, int]]:
        found = {
            "num_heads": integer(module, "num_heads", "n_heads", "mamba_num_heads"),
            "head_dim": integer(module, "head_dim", "mamba_head_dim", "headdim"),
            "state_size": integer(module, *STATE),
            "chunk_size": integer(module, "chunk_size", "mamba_chunk_size"),
        }
        yield {name: value for name, value in found.items() if value is not None}

    def mix_flops(self, **parameters: int) -> int:
        """2 * batch * heads * (n * c * (c * (N + p) + 2 * N * p) + (n + 1)² * p * N), or length * p * N by token."""
        heads = parameters["batch"] * parameters["num_heads"]
        state = parameters["head_dim"] * parameters["state_size"]
        if parameters["is_recurrent"]:
            return 2 * heads * parameters["length"] * state
        size = parameters["chunk_size"]
        number = chunks(parameters["length"], size)
        within = number * size * (size * (parameters["state_size"] + parameters["head_dim"]) + 2 * state)
        return 2 * heads * (within + (number + 1) ** 2 * state)

    def state_size(self, **parameters: int) -> int:
        return parameters["num_heads"] * parameters["head_dim"] * parameters["state_size"]

    def width(self, **parameters: int) -> int:
        return parameters["num_heads"] * parameters["head_dim"]
