"""Rules: how labels pass PyTorch's operators."""
# ruff: noqa: ARG001 - every rule has the same signature

from collections.abc import Sequence
from math import prod

import numpy as np
from torch import Tensor

from netwright_pruning.labels import Axis
from netwright_pruning.reshaping import reshape, split
from netwright_pruning.tracing import Arguments, Axes, Rule, Tracer, tensors_of


def zeros(shape: Sequence[int]) -> Axes:
    """Axes on which nothing is labelled."""
    return [np.zeros(size, np.int64) for size in shape]


def pointwise(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    """Operands are broadcast; what lies at one place goes together."""
    tensors = list(tensors_of([value for name, value in a.items() if name != "out"]))
    return broadcast(t, [t.axes(tensor) for tensor in tensors], list(out.shape))


def broadcast(t: Tracer, operands: Sequence[Axes], shape: Sequence[int]) -> Axes:
    """Join the operands' axes at the same place of a broadcast result."""
    result = zeros(shape)
    for place in range(1, len(shape) + 1):
        lines = [axes[-place] for axes in operands if len(axes) >= place and len(axes[-place]) == shape[-place]]
        lines.sort(key=lambda line: not line.any())  # labelled ones first
        for line in lines[1:]:
            t.join(lines[0], line)
        if lines:
            result[-place] = lines[0]
    return result


def unknown(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    """Nothing is known: all that comes in is held."""
    for tensor in tensors_of(list(a.values())):
        for axis in t.axes(tensor):
            t.hold(axis)
    return zeros(out.shape)


def unchanged(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    """The output has the axes of the first argument, as far as it is as large."""
    axes = t.axes(next(tensors_of(list(a.values()))))
    return axes if [len(axis) for axis in axes] == list(out.shape) else zeros(out.shape)


def restrided(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    """Only another layout in memory keeps the axes."""
    return unchanged(t, a, out) if list(a["size"]) == [len(axis) for axis in t.axes(a["self"])] else unknown(t, a, out)


# --- views


def view(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    return reshape(t, t.axes(a["self"]), list(out.shape))


def permute(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = t.axes(a["self"])
    return [axes[dim] for dim in a["dims"]]


def transpose(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = list(t.axes(a["self"]))
    if axes:
        one, other = a.get("dim0", 0), a.get("dim1", -1)
        axes[one], axes[other] = axes[other], axes[one]
    return axes


def matrix_transpose(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    return t.axes(a["self"])[::-1]


def expand(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = t.axes(a["self"])
    padded = [*zeros([1] * (out.dim() - len(axes))), *axes]
    return [
        axis if len(axis) == size else np.zeros(size, np.int64) for axis, size in zip(padded, out.shape, strict=True)
    ]


def unsqueeze(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = list(t.axes(a["self"]))
    axes.insert(a["dim"] % out.dim(), np.zeros(1, np.int64))
    return axes


def squeeze(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = t.axes(a["self"])
    gone = a.get("dim", list(range(len(axes))))
    dims = {dim % len(axes) for dim in ([gone] if isinstance(gone, int) else gone)}
    return [axis for dim, axis in enumerate(axes) if not (dim in dims and len(axis) == 1)]


def select(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    """One index of a dimension: the others must not move."""
    axes = list(t.axes(a["self"]))
    t.hold(axes.pop(a["dim"] % len(axes)))
    return axes


def unbind(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    return select(t, a, out)


def slice_(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = list(t.axes(a["self"]))
    dim = a["dim"] % len(axes)
    axis = axes[dim]
    start, stop, step = slice(a.get("start"), a.get("end"), a.get("step") or 1).indices(len(axis))
    part = axis[start:stop:step]
    if step > 1:
        t.hold(axis)
    elif len(part) < len(axis):
        _cut_evenly(t, axis, start, len(part))
    axes[dim] = part
    return axes


def split_tensor(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    """Parts of equal size lose the same indices."""
    axes = list(t.axes(a["self"]))
    dim = a.get("dim", 0) % len(axes)
    sizes = a["split_size"] if "split_size" in a else a["split_sizes"]
    size = sizes if isinstance(sizes, int) else sizes[0]
    start = a["output"] * size if isinstance(sizes, int) else sum(sizes[: a["output"]])
    axis = axes[dim]
    axes[dim] = axis[start : start + out.shape[dim]]
    if isinstance(sizes, int) or len(set(sizes)) == 1:
        _cut_evenly(t, axis, start, size)
    return axes


def _cut_evenly(t: Tracer, axis: Axis, start: int, size: int) -> None:
    """Where an axis falls into equal parts, of which one is taken, they lose the same indices."""
    if size and size < len(axis) and len(axis) % size == 0 and start % size == 0:
        parts = axis.reshape(-1, size)
        for part in parts[1:]:
            t.join(parts[0], part)


def cat(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    operands = [t.axes(tensor) for tensor in a["tensors"] if tensor.dim() == out.dim()]
    dim = a.get("dim", 0) % out.dim()
    rest = broadcast(t, [[*axes[:dim], np.zeros(1, np.int64), *axes[dim + 1 :]] for axes in operands], [
        1 if index == dim else size for index, size in enumerate(out.shape)
    ])  # fmt: skip
    rest[dim] = np.concatenate([axes[dim] for axes in operands])
    return rest


def stack(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    dim = a.get("dim", 0) % out.dim()
    shape = [size for index, size in enumerate(out.shape) if index != dim]
    axes = broadcast(t, [t.axes(tensor) for tensor in a["tensors"]], shape)
    axes.insert(dim, np.zeros(out.shape[dim], np.int64))
    return axes


def pad(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = list(t.axes(a["self"]))
    amounts = a.get("pad", a.get("padding"))
    assert amounts is not None
    for index in range(len(amounts) // 2):
        before, after = amounts[2 * index : 2 * index + 2]
        if before or after:
            t.hold(axes[-1 - index])
            axes[-1 - index] = np.zeros(out.shape[-1 - index], np.int64)
    return axes


def moved(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    """Indices of some dimensions change places there."""
    axes = list(t.axes(a["self"]))
    dims = a["dims"] or range(len(axes))
    for dim in [dims] if isinstance(dims, int) else dims:
        t.hold(axes[dim])
        axes[dim] = np.zeros(len(axes[dim]), np.int64)
    return axes


def repeat(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = t.axes(a["self"])
    padded = [*zeros([1] * (out.dim() - len(axes))), *axes]
    repeated = zip(padded, a["repeats"], strict=True)
    return [
        axis if times == 1 else np.tile(axis, times) if len(axis) > 1 else np.zeros(times, np.int64)
        for axis, times in repeated
    ]


def unfold(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = list(t.axes(a["self"]))
    dim = a["dimension"] % len(axes)
    t.hold(axes[dim])
    axes[dim] = np.zeros(out.shape[dim], np.int64)
    return [*axes, np.zeros(out.shape[-1], np.int64)]


def index(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    """Rows looked up in a table: the other dimensions stay."""
    axes, indices = list(t.axes(a["self"])), list(a["indices"])
    looked_up = [dim for dim, tensor in enumerate(indices) if tensor is not None]
    for dim in looked_up:
        t.hold(axes[dim])
    adjacent = looked_up == list(range(looked_up[0], looked_up[-1] + 1))
    rest = [axis for dim, axis in enumerate(axes) if dim not in looked_up]
    where = looked_up[0] if adjacent else 0
    new = zeros(out.shape[where : where + out.dim() - len(rest)])
    return [*rest[:where], *new, *rest[where:]]


def along_dim(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    """Indices of one dimension meet: it is held."""
    axes = list(t.axes(a["self"]))
    if axes:
        dim = a["dim"] % len(axes)
        t.hold(axes[dim])
        axes[dim] = np.zeros(out.shape[dim], np.int64)
    return axes


def embedding(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    rows, columns = t.axes(a["weight"])
    t.hold(rows)
    t.produced.append(columns)
    return [*zeros(out.shape[:-1]), columns]


# --- reductions


def reduction(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = t.axes(a["self"])
    dims = a.get("dim")
    if dims is None or dims == []:
        dims = list(range(len(axes)))
    gone = {dim % len(axes) for dim in ([dims] if isinstance(dims, int) else dims)} if axes else set()
    for dim in gone:
        t.reduce(axes[dim])
    if a.get("keepdim"):
        return [np.zeros(1, np.int64) if dim in gone else axis for dim, axis in enumerate(axes)]
    return [axis for dim, axis in enumerate(axes) if dim not in gone]


# --- products


def mm(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    left, right = (a["mat1"], a["mat2"]) if "mat1" in a else (a["self"], a["mat2"])
    axes = product(t, t.axes(left), t.axes(right))
    return with_bias(t, a.get("self") if "mat1" in a else None, axes)


def bmm(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    left, right = (a["batch1"], a["batch2"]) if "batch1" in a else (a["self"], a["mat2"])
    axes = product(t, t.axes(left), t.axes(right))
    return with_bias(t, a.get("self") if "batch1" in a else None, axes)


def product(t: Tracer, left: Axes, right: Axes) -> Axes:
    """A matrix product with any batch dimensions."""
    t.join(left[-1], right[-2])
    batch = broadcast(t, [left[:-2], right[:-2]], [len(axis) for axis in left[:-2]])
    t.produced += [left[-2], right[-1]]
    t.multiply(1, *batch, left[-2], left[-1], right[-1])
    return [*batch, left[-2], right[-1]]


def with_bias(t: Tracer, bias: Tensor | None, axes: Axes) -> Axes:
    return axes if bias is None else broadcast(t, [axes, t.axes(bias)], [len(axis) for axis in axes])


def mv(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    rows, columns = t.axes(a["self"])
    t.join(columns, t.axes(a["vec"])[0])
    t.multiply(1, rows, columns)
    return [rows]


def linear(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes, weight = t.axes(a["input"]), t.axes(a["weight"])
    t.join(axes[-1], weight[1])
    t.produced.append(weight[0])
    t.multiply(1, *axes, weight[0])
    return with_bias(t, a.get("bias"), [*axes[:-1], weight[0]])


def convolution(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    """Grouped ones lose the same channels of every group; of depthwise ones, a channel is a group and goes alone."""
    inputs, weight, groups = t.axes(a["input"]), t.axes(a["weight"]), a["groups"]
    for axis in weight[2:]:
        t.hold(axis)
    channels = inputs[1]
    first, second = weight[:2]
    if groups == 1:
        t.join(channels, first if a["transposed"] else second)
        outputs = second if a["transposed"] else first
    elif a["transposed"]:
        t.join(channels, first)
        _evenly(t, channels, groups)
        outputs = first if len(second) == 1 and len(first) == groups else np.tile(second, groups)
    elif len(second) == 1:
        t.hold(second)
        t.join(first, np.repeat(channels, len(first) // groups))
        outputs = first
    else:
        t.join(channels, np.tile(second, groups))
        _evenly(t, first, groups)
        outputs = first
    t.produced.append(outputs)
    t.multiply(prod(len(axis) for axis in inputs[2:]) if a["transposed"] else prod(out.shape[2:]), inputs[0], *weight)
    if a.get("bias") is not None:
        t.join(outputs, t.axes(a["bias"])[0])
    return [inputs[0], outputs, *zeros(out.shape[2:])]


def _evenly(t: Tracer, axis: Axis, groups: int) -> None:
    _cut_evenly(t, axis, 0, len(axis) // groups)


def attention(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    query, key, value = (t.axes(a[name]) for name in ("query", "key", "value"))
    if a["output"]:
        return zeros(out.shape)
    t.join(query[-1], key[-1])
    for dim in range(len(query) - 2):
        t.join(query[dim], key[dim])
        t.join(key[dim], value[dim])
    mask = a.get("attn_mask", a.get("attn_bias"))
    if mask is not None:
        broadcast(t, [[*query[:-1], key[-2]], t.axes(mask)], [*(len(axis) for axis in query[:-1]), len(key[-2])])
    t.multiply(1, *query, key[-2])
    t.multiply(1, *query[:-1], key[-2], value[-1])
    return [*query[:-1], value[-1]]


# --- normalisations


def batch_norm(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = t.axes(a["input"])
    if a.get("training"):  # as of standardised weights, whose rows are normalised
        for axis in [axes[0], *axes[2:]]:
            t.reduce(axis)
    for name in ("weight", "bias", "running_mean", "running_var"):
        if a.get(name) is not None:
            t.join(axes[1], t.axes(a[name])[0])
    return zeros(out.shape) if a["output"] else axes


def layer_norm(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = t.axes(a["input"])
    if a["output"]:
        return zeros(out.shape)
    shape = a["normalized_shape"]
    for axis in axes[-len(shape) :]:
        t.reduce(axis)
    affine = [t.axes(a[name]) for name in ("weight", "bias") if a.get(name) is not None]
    return [*axes[: -len(shape)], *broadcast(t, [axes[-len(shape) :], *affine], shape)]


def group_norm(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = t.axes(a["input"])
    if a["output"]:
        return zeros(out.shape)
    if a["group"] == len(axes[1]):
        t.hold(axes[1])
    _evenly(t, axes[1], a["group"])
    t.reduce(axes[1])
    for name in ("weight", "bias"):
        if a.get(name) is not None:
            t.join(axes[1], t.axes(a[name])[0])
    return axes


# --- spatial operators


def spatial(dims: int) -> Rule:
    """The last dimensions are worked on, each channel alone."""

    def rule(t: Tracer, a: Arguments, out: Tensor) -> Axes:
        axes = t.axes(next(tensors_of(list(a.values()))))
        for axis in axes[-dims:]:
            t.hold(axis)
        return [*axes[:-dims], *zeros(out.shape[-dims:])]

    return rule


def channel_shuffle(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = list(t.axes(a["self"]))
    _evenly(t, axes[1], a["groups"])
    axes[1] = axes[1].reshape(a["groups"], -1).T.reshape(-1)
    return axes


def im2col(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = t.axes(a["self"])
    channels = np.repeat(axes[-3], out.shape[-2] // len(axes[-3]))
    return [*axes[:-3], channels, *zeros(out.shape[-1:])]


def col2im(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = t.axes(a["self"])
    channels, _ = split(t, axes[-2], [out.shape[-3], prod(a["kernel_size"])], live=0)
    return [*axes[:-2], channels, *zeros(out.shape[-2:])]


def pixel_shuffle(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = t.axes(a["self"])
    channels, _ = split(t, axes[-3], [out.shape[-3], a["upscale_factor"] ** 2], live=0)
    return [*axes[:-3], channels, *zeros(out.shape[-2:])]


def pixel_unshuffle(t: Tracer, a: Arguments, out: Tensor) -> Axes:
    axes = t.axes(a["self"])
    return [*axes[:-3], np.repeat(axes[-3], a["downscale_factor"] ** 2), *zeros(out.shape[-2:])]


_NAMES: list[tuple[Rule, str]] = [
    (
        unchanged,
        "clone _to_copy detach alias lift_fresh contiguous zeros_like ones_like empty_like rand_like randn_like",
    ),
    (unchanged, "full_like native_dropout dropout bernoulli fill zero fill_ zero_ normal_ uniform_ positive"),
    (
        pointwise,
        "copy copy_ where masked_fill addcmul addcdiv lerp gelu silu hardswish hardsigmoid prelu _prelu_kernel",
    ),
    (pointwise, "masked_fill_ softplus mish elu leaky_relu hardtanh relu6 glu_jvp clamp threshold log_sigmoid_forward"),
    (restrided, "as_strided"),
    (view, "view _unsafe_view reshape _reshape_alias unflatten flatten"),
    (permute, "permute"),
    (transpose, "transpose swapaxes"),
    (matrix_transpose, "t numpy_T"),
    (expand, "expand broadcast_to"),
    (unsqueeze, "unsqueeze"),
    (squeeze, "squeeze"),
    (select, "select"),
    (unbind, "unbind"),
    (slice_, "slice narrow"),
    (split_tensor, "split split_with_sizes unsafe_split unsafe_split_with_sizes"),
    (cat, "cat concat"),
    (stack, "stack"),
    (pad, "constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d pad"),
    (moved, "roll flip"),
    (repeat, "repeat"),
    (unfold, "unfold"),
    (index, "index"),
    (along_dim, "_softmax _safe_softmax _log_softmax softmax log_softmax cumsum sort topk gather index_select"),
    (embedding, "embedding"),
    (reduction, "mean sum amax amin max min var std var_mean std_mean linalg_vector_norm norm argmax prod logsumexp"),
    (mm, "mm addmm"),
    (bmm, "bmm baddbmm"),
    (mv, "mv"),
    (linear, "linear"),
    (convolution, "convolution _convolution"),
    (attention, "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention"),
    (attention, "_scaled_dot_product_efficient_attention scaled_dot_product_attention"),
    (batch_norm, "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm"),
    (batch_norm, "_batch_norm_with_update _batch_norm_no_update"),
    (layer_norm, "native_layer_norm _fused_rms_norm"),
    (group_norm, "native_group_norm"),
    (spatial(1), "avg_pool1d max_pool1d adaptive_avg_pool1d upsample_nearest1d upsample_linear1d"),
    (spatial(2), "avg_pool2d max_pool2d_with_indices max_pool2d adaptive_avg_pool2d _adaptive_avg_pool2d"),
    (spatial(2), "adaptive_max_pool2d upsample_nearest2d upsample_bilinear2d upsample_bicubic2d"),
    (spatial(2), "_upsample_bilinear2d_aa _upsample_bicubic2d_aa _upsample_nearest_exact2d upsample_area2d"),
    (spatial(3), "avg_pool3d max_pool3d_with_indices adaptive_avg_pool3d _adaptive_avg_pool3d upsample_trilinear3d"),
    (channel_shuffle, "channel_shuffle native_channel_shuffle"),
    (im2col, "im2col"),
    (col2im, "col2im"),
    (pixel_shuffle, "pixel_shuffle"),
    (pixel_unshuffle, "pixel_unshuffle"),
]

RULES: dict[str, Rule] = {name: rule for rule, names in _NAMES for name in names.split()}
"""By operator name without its overload."""
