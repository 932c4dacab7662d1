"""Linear attention: delta rules, lightning attention and matrix memories, computed in chunks or token by token."""

from collections.abc import Iterator, Mapping

from torch import nn

from netwright_predictor.analyzers.analyzer import Dimensions, Site
from netwright_predictor.analyzers.instance import integer
from netwright_predictor.analyzers.mixer import MixerAnalyzer, chunks
from netwright_predictor.polynomial import Polynomial

KEY_HEADS = ("num_v_heads", "num_heads", "num_attention_heads", "num_k_heads")
KEY_DIM = ("head_k_dim", "k_head_dim", "head_dim", "key_dim")
VALUE_DIM = ("head_v_dim", "v_head_dim", "head_dim", "value_dim")
DELTA_CHUNK = 64
"""Positions per chunk of transformers' delta rules: the default of their functions, in no configuration."""


class DeltaRuleAnalyzer(MixerAnalyzer):
    """Gated delta rules: Qwen3-Next's gated delta net (arXiv:2412.06464) and Kimi's delta attention (arXiv:2510.26692).

    Of n = ⌈length / chunk_size⌉ chunks of c positions, the last one padded, with keys of k and values of v numbers
    (arXiv:2406.06484, section 3.2, the UT transform): the transform meets keys and values (c·c·(k + v)), three products
    pass between state and chunk (3·c·k·v), and the attention within meets the new values (c·c·v). Where decay is one
    number per head, scores of keys with keys and of queries with keys are products too (`has_score_products`, 2·c·c·k);
    with one per channel they are sums that count as other operations. `is_solved` is 1 where the transform is not
    inverted but solved for, a triangular system: c·c FLOPs per column instead of 2·c·c.

    Token by token, the pure PyTorch path multiplies and sums without a single product.
    """

    def own_parameters(self) -> tuple[str, ...]:
        return "num_heads", "key_dim", "value_dim", "chunk_size", "has_score_products", "is_solved"

    def sizes(self, module: nn.Module) -> Iterator[Mapping[str, int]]:
        found = {
            "num_heads": integer(module, *KEY_HEADS),
            "key_dim": integer(module, *KEY_DIM),
            "value_dim": integer(module, *VALUE_DIM),
        }
        known = {name: value for name, value in found.items() if value is not None}
        chunk = integer(module, "chunk_size") or DELTA_CHUNK
        for scores, solved in ((1, 1), (0, 0), (1, 0), (0, 1)):
            yield {**known, "chunk_size": chunk, "has_score_products": scores, "is_solved": solved}

    def mix_flops(self, **parameters: int) -> int:
        """batch * heads * n * (4·c²·k + (2 or 1)·c²·(k + v) + 6·c·k·v + 2·c²·v); the first if scores are products."""
        if parameters["is_recurrent"]:
            return 0
        size, key, value = parameters["chunk_size"], parameters["key_dim"], parameters["value_dim"]
        scores = 4 * size * size * key * parameters["has_score_products"]
        transform = (1 if parameters["is_solved"] else 2) * size * size * (key + value)
        between = 6 * size * key * value
        within = 2 * size * size * value
        number = chunks(parameters["length"], size)
        return parameters["batch"] * parameters["num_heads"] * number * (scores + transform + between + within)

    def state_size(self, **parameters: int) -> int:
        return parameters["num_heads"] * parameters["key_dim"] * parameters["value_dim"]

    def width(self, **parameters: int) -> int:
        return parameters["num_heads"] * parameters["value_dim"]


class LightningAttentionAnalyzer(MixerAnalyzer):
    """Lightning attention (Qin et al., arXiv:2401.04658, section 3.2), as MiniMax computes it.

    Blocks of b positions, of which the last may be shorter and is not padded: queries meet the keys and values of
    their block (4·b·b·d), the state that came before (2·b·d·d), and keys and values make the next (2·b·d·d). Token by
    token only the last two, with b = 1.
    """

    def own_parameters(self) -> tuple[str, ...]:
        return "num_attention_heads", "head_dim", "block_size"

    def sizes(self, module: nn.Module) -> Iterator[Mapping[str, int]]:
        found = {
            "num_attention_heads": integer(module, "num_attention_heads", "num_heads"),
            "head_dim": integer(module, "head_dim"),
            "block_size": integer(module, "block_size", "chunk_size"),
        }
        yield {name: value for name, value in found.items() if value is not None}

    def mix_flops(self, **parameters: int) -> int:
        """4 * batch * heads * d * (length * d + whole blocks * b² + rest²)."""
        head_dim, length = parameters["head_dim"], parameters["length"]
        whole, rest = divmod(length, parameters["block_size"])
        within = 0 if parameters["is_recurrent"] else whole * parameters["block_size"] ** 2 + rest**2
        heads = parameters["batch"] * parameters["num_attention_heads"]
        return 4 * heads * head_dim * (length * head_dim + within)

    def state_size(self, **parameters: int) -> int:
        return parameters["num_attention_heads"] * parameters["head_dim"] ** 2

    def width(self, **parameters: int) -> int:
        return parameters["num_attention_heads"] * parameters["head_dim"]


class MatrixMemoryAnalyzer(MixerAnalyzer):
    """xLSTM's matrix memory, mLSTM (Beck et al., arXiv:2405.04517, section 2.3), as its backend computes it.

    Whole chunks of c positions, with keys of k and values of v numbers: scores (c·c·k), their product with values
    (c·c·v), the chunk's state (c·k·v), queries with state (c·k·v) and with the normalizer (c·k). The rest goes token by
    token: state, queries with state, queries with normalizer (2·k·v + k). With `is_padded`, as in training, the rest is
    a chunk, too.
    """

    def own_parameters(self) -> tuple[str, ...]:
        return "num_heads", "key_dim", "value_dim", "chunk_size", "is_padded"

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        query, value = site.flow.dims.get("query", ()), site.flow.dims.get("value", ())
        chunk = site.config.get("chunk_size")
        if len(query) != 4 or len(value) != 4 or not isinstance(chunk, int):
            return
        nothing = dict.fromkeys(("convolved", "conv_channels", "conv_kernel", "is_recurrent"), Polynomial())
        shapes = {"batch": query[0], "num_heads": query[1], "length": query[2], "key_dim": query[3]}
        for padded in (0, 1):
            numbers = {"chunk_size": Polynomial.constant(chunk), "is_padded": Polynomial.constant(padded)}
            yield {**nothing, **shapes, **numbers, "value_dim": value[3]}

    def mix_flops(self, **parameters: int) -> int:
        """2 * batch * heads * (whole * (c²·(k + v) + 2·c·k·v + c·k) + rest * (2·k·v + k))."""
        size, key, value = parameters["chunk_size"], parameters["key_dim"], parameters["value_dim"]
        whole, rest = divmod(parameters["length"], size)
        if parameters["is_padded"]:
            whole, rest = chunks(parameters["length"], size), 0
        token = 2 * key * value + key
        heads = parameters["batch"] * parameters["num_heads"]
        return 2 * heads * (whole * size * (size * (key + value) + token) + rest * token)

    def state_size(self, **parameters: int) -> int:
        return parameters["num_heads"] * parameters["key_dim"] * (parameters["value_dim"] + 1)

    def width(self, **parameters: int) -> int:
        return parameters["num_heads"] * parameters["value_dim"]
