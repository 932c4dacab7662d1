"""Where a rewrite may turn a NaN into an infinity, and whether that could ever be told from an output.

A sum of outputs is NaN where one of them is infinite and another one minus infinite. A rewrite that sums the weights
instead multiplies the infinity with one sum, and has an infinity there. Nobody can tell, until something maps
infinities, but not NaN, to finite numbers again: a clamp, a sigmoid, a maximum.
"""

from torch import fx

from netwright_fusion.graph import arguments, is_tensor, names, operator_name

FINITE_INPUTS = "finite_inputs"
"""In a graph's `meta`: whether it is right for finite inputs only; the original must run on others."""
TRANSPARENT = names(
    """add sub mul neg mean sum linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d matmul mm
    bmm gelu silu mish hardswish layer_norm group_norm instance_norm batch_norm rms_norm avg_pool1d avg_pool2d
    avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d cat stack dropout view reshape flatten
    unflatten squeeze unsqueeze permute transpose t numpy_T expand expand_as slice select narrow contiguous clone flip
    getitem"""
)
"""Operators that have something not finite wherever their input does, of whichever kind."""


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


def _is_transparent(node: fx.Node) -> bool:
    if operator_name(node) in TRANSPARENT:
        return True
    return operator_name(node) == "div" and not is_tensor(arguments(node)["other"])
