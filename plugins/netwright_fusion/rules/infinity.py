"""Where a rewrite may turn a NaN into an infinity, and whether that could ever be told from an output.

A sum of outputs is NaN where one of them is infinite and another one minus infinite. A rewrite that sums the weights
instead multiplies the infinity with one sum, and has an infinity there. Nobody can tell, until something maps
infinities, but not NaN, to finite numbers again: a clamp, a sigmoid, a maximum.
"""

from torch import fx

from netwright_fusion.graph import arguments, is_tensor, names, operator_name

FINITE_INPUTS = "finite_inputs"
"""In a graph's `meta`: whether it is right for finite inputs only; the original must run on others."""
SPREADS = "spreads"
"""In a graph's `meta`: whether a NaN reaches more outputs than it should."""
TRANSPARENT = names(
    """add sub mul neg mean sum linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d matmul mm
    bmm gelu silu mish hardswish layer_norm group_norm instance_norm batch_norm rms_norm avg_pool1d avg_pool2d
    avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d cat stack dropout view reshape flatten
    unflatten squeeze unsqueeze permute transpose t numpy_T expand expand_as slice select narrow contiguous clone flip
    getitem"""
)
"""Operators that have something not finite wherever their input does, of whichever kind."""
FINITE = TRANSPARENT | names(
    """abs adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d amax amin celu clamp constant_pad_nd
    convolution_by_tiles elu hardsigmoid hardtanh leaky_relu log_softmax logsigmoid log_sigmoid max_pool1d max_pool2d
    max_pool3d maximum minimum pad pixel_shuffle pixel_unshuffle prelu relu relu6 scaled_dot_product_attention selu
    sigmoid softmax softplus split split_with_sizes tanh tile_weights unbind upsample_bilinear2d upsample_nearest2d
    upsample_nearest3d upsample_trilinear3d"""
)
"""Operators that make nothing infinite out of what is finite, short of an overflow."""


def may_be_hidden(node: fx.Node) -> bool:
    """Whether something behind a node may be finite where the node is infinite but not where it is NaN."""
    pending, seen = [node], {node}
    while pending:
        for user in pending.pop().users:
            if user.op == "output" or user in seen:
                continue
            if not _is_transparent(user):
                return True
            seen.add(user)
            pending.append(user)
    return False


def stays_finite(node: fx.Node) -> bool:
    """Whether a value is finite wherever inputs and parameters are, short of an overflow."""
    pending, seen = [node], {node}
    while pending:
        each = pending.pop()
        if each.op == "call_function" and not (_is_transparent(each) or operator_name(each) in FINITE):
            return False
        new = [source for source in each.all_input_nodes if source not in seen]
        seen.update(new)
        pending += new
    return True


def _is_transparent(node: fx.Node) -> bool:
    if operator_name(node) in TRANSPARENT:
        return True
    return operator_name(node) == "div" and not is_tensor(arguments(node)["other"])
