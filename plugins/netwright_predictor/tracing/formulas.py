"""Operators' floating-point operations that torch's own counter lacks, and which operators may go uncounted."""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import sdpa_backward_flop_count, sdpa_flop_count

Formula = Callable[..., int]

PRODUCT = re.compile(
    r"mm$|mm_|conv|linalg_|_fft_|attention|(^|_)(rnn|lstm|gru)|einsum|dot$|mv$|addr|cdist|_trilinear|matmul|linear$"
    r"|multi_head|transformer_encoder"
)
"""Names of operators that multiply and add: without a formula, a count would be too low."""
NO_PRODUCT = re.compile(r"norm|check_errors|convert|fused_(lstm|gru)_cell|diagonal|flatten_weight|gamma")
"""Names among those of operators that do not, or only number by number."""


def grouped_mm_flops(left: Tensor, right: Tensor, *_: object, **__: object) -> int:
    """Operations of `aten._grouped_mm` and its scaled forms: each row of `left` meets one matrix of `right`.

    Args:
        left: (rows, in), or (groups, rows, in) where every group has as many rows.
        right: (groups, in, out), or (in, all columns) where groups have columns of their own.
    """
    if left.dim() == 2 and right.dim() == 2:  # the gradient by weight: groups share out the inner dimension
        return 2 * left.shape[0] * left.shape[1] * right.shape[1]
    rows = left.numel() // left.shape[-1]
    if left.dim() == 3 and right.dim() == 2:  # groups share out the columns
        return 2 * left.shape[1] * left.shape[2] * right.shape[1]
    return 2 * rows * left.shape[-1] * right.shape[-1]


def product_flops(left: Tensor, *_: object, out_val: Tensor, **__: object) -> int:
    """Operations of a product whose second factor may be packed: each number of the output sums up a row of `left`."""
    return 2 * out_val.numel() * left.shape[-1]


def added_product_flops(_: Tensor, left: Tensor, *__: object, out_val: Tensor, **___: object) -> int:
    """Operations of a product that is added to the first argument, which itself counts nothing."""
    return product_flops(left, out_val=out_val)


def batch_sum_flops(_: Tensor, left: Tensor, right: Tensor, *__: object, **___: object) -> int:
    """Operations of `aten.addbmm`: the products of all matrices of a batch, summed up."""
    return 2 * left.numel() * right.shape[-1]


def outer_flops(addend: Tensor, *_: object, **__: object) -> int:
    """Operations of `aten.addr`: a product and a sum for each number."""
    return 2 * addend.numel()


def trilinear_flops(_: Tensor, weight: Tensor, *__: object, out_val: Tensor, **___: object) -> int:
    """Operations of `aten._trilinear`, as `torch.nn.Bilinear` uses it: each output sums up all pairs of two inputs."""
    return 2 * out_val.numel() * (weight.numel() // weight.shape[0])


def triangular_flops(matrix: Tensor, right: Tensor, *_: object, **__: object) -> int:
    """Operations of `aten.linalg_solve_triangular`: n² per column (LAPACK Working Note 41, appendix C, TRSM)."""
    return matrix.shape[-1] ** 2 * _columns(matrix, right)


def solve_flops(matrix: Tensor, right: Tensor, *_: object, **__: object) -> int:
    """Operations of `aten._linalg_solve_ex`: 2n³/3 to factorize and 2n² per column (same source, GETRF and GETRS)."""
    size = matrix.shape[-1]
    return 2 * matrix.numel() * size // 3 + 2 * size**2 * _columns(matrix, right)


def inverse_flops(matrix: Tensor, *_: object, **__: object) -> int:
    """Operations of `aten.linalg_inv_ex`: 2n³ (same source, GETRF and GETRI)."""
    return 2 * matrix.numel() * matrix.shape[-1]


def cholesky_flops(matrix: Tensor, *_: object, **__: object) -> int:
    """Operations of `aten.linalg_cholesky_ex`: n³/3 (same source, POTRF)."""
    return matrix.numel() * matrix.shape[-1] // 3


def lstm_layer_flops(inputs: Tensor, weight: Tensor, recurrent: Tensor, *_: object, **__: object) -> int:
    """Operations of `aten.mkldnn_rnn_layer`: each token meets the weights by input and by hidden state."""
    tokens = inputs.numel() // inputs.shape[-1]
    return 2 * tokens * (weight.numel() + recurrent.numel())


def fused_attention_flops(query: Tensor, key: Tensor, value: Tensor, *_: object, **__: object) -> int:
    """Operations of a fused attention, masked pairs counted, as torch's counter has it for other kernels."""
    return int(sdpa_flop_count(query.shape, key.shape, value.shape))  # type: ignore[no-untyped-call]


def fused_attention_backward_flops(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: object, **__: object
) -> int:
    """Operations of its backward pass: scores are computed again."""
    shapes = gradient.shape, query.shape, key.shape, value.shape
    return int(sdpa_backward_flop_count(*shapes))  # type: ignore[no-untyped-call]


def multi_head_flops(
    query: Tensor, key: Tensor, value: Tensor, embed_dim: int, num_head: int, *_: object, **__: object
) -> int:
    """Operations of `aten._native_multi_head_attention`, the fast path of `torch.nn.MultiheadAttention` in eval mode.

    Args:
        query: (batch, queries, embed_dim), and (batch, keys, embed_dim) for key and value.
    """
    del num_head
    projections = 2 * embed_dim * (2 * query.numel() + key.numel() + value.numel())
    return projections + 4 * query.numel() * key.shape[1]


def encoder_layer_flops(source: Tensor, embed_dim: int, num_heads: int, *weights: object, **__: object) -> int:
    """Operations of `aten._transformer_encoder_layer_fwd`, the fast path of `torch.nn.TransformerEncoderLayer`."""
    matrices = [each for each in weights if isinstance(each, Tensor) and each.dim() == 2]
    tokens = source.numel() // embed_dim
    del num_heads
    return 2 * tokens * sum(each.numel() for each in matrices[:4]) + 4 * source.numel() * source.shape[1]


def is_silent(packet: object) -> bool:
    """Whether an operator without a formula multiplies no matrices, so that by convention it counts nothing."""
    name = str(packet).rpartition(".")[2]
    return PRODUCT.search(name) is None or NO_PRODUCT.search(name) is not None


def _columns(matrix: Tensor, right: Tensor) -> int:
    """Right-hand sides of all systems of a batch; a vector per system is one each."""
    if right.dim() < matrix.dim():
        return prod(right.shape[:-1])
    batches = zip_longest(reversed(matrix.shape[:-2]), reversed(right.shape[:-2]), fillvalue=1)
    return prod(max(pair) for pair in batches) * right.shape[-1]


BY_NAME: Mapping[str, Formula] = {
    **dict.fromkeys(("_grouped_mm", "_scaled_grouped_mm", "_scaled_grouped_mm_v2"), grouped_mm_flops),
    **dict.fromkeys(
        (
            "mv",
            "dot",
            "vdot",
            "_int_mm",
            "_scaled_mm_v2",
            "_weight_int8pack_mm",
            "_weight_int4pack_mm",
            "_weight_int4pack_mm_for_cpu",
            "_weight_int4pack_mm_with_scales_and_zeros",
            "_dyn_quant_matmul_4bit",
            "mkldnn_linear",
        ),
        product_flops,
    ),
    **dict.fromkeys(("addmv", "_addmm_activation", "_scaled_addmm"), added_product_flops),
    "addbmm": batch_sum_flops,
    "addr": outer_flops,
    "_trilinear": trilinear_flops,
    "linalg_solve_triangular": triangular_flops,
    "_linalg_solve_ex": solve_flops,
    "linalg_inv_ex": inverse_flops,
    "linalg_cholesky_ex": cholesky_flops,
    "mkldnn_rnn_layer": lstm_layer_flops,
    "_native_multi_head_attention": multi_head_flops,
    "_transformer_encoder_layer_fwd": encoder_layer_flops,
    **dict.fromkeys(
        ("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_fused_attention_overrideable"),
        fused_attention_flops,
    ),
    **dict.fromkeys(
        (
            "_scaled_dot_product_flash_attention_for_cpu_backward",
            "_scaled_dot_product_fused_attention_overrideable_backward",
        ),
        fused_attention_backward_flops,
    ),
}
"""Formulas by operator of `torch.ops.aten`; those that the installed torch does not have are left out."""


def _operators(names: Iterable[str]) -> Mapping[Any, Formula]:
    found = ((getattr(torch.ops.aten, name, None), name) for name in names)
    return {operator: BY_NAME[name] for operator, name in found if operator is not None}


FORMULAS: Mapping[Any, Formula] = _operators(BY_NAME)
"""By operator, a function of its arguments and, as `out_val`, its result. Torch's counter takes them as
`custom_mapping` once they are marked as taking tensors rather than shapes."""
