"""Special values: what would lose a NaN, and the condition under which there is none to lose."""

from collections.abc import Iterator

from torch import fx

from netwright_fusion.graph import operator_name

CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"})
CLAMPS = frozenset({"relu", "relu6", "hardtanh", "hardsigmoid", "clamp", "clamp_min", "clamp_max"})


def clamps_convolution(graph: fx.GraphModule) -> bool:
    """Whether a graph clamps what convolutions give: frozen, oneDNN does both at once, and makes bounds of NaN.

    NB: seen on the CPU, where Inductor fuses the two only if it may lay out the weights (torch 2.14).
    """
    names = {operator_name(node) for node in graph.graph.nodes if node.op == "call_function"}
    return not names.isdisjoint(CONVOLUTIONS) and not names.isdisjoint(CLAMPS)


def is_finite(text: str, node: fx.Node) -> Iterator[str]:
    """The condition that a tensor holds no NaN and no infinity: then neither does its sum, short of an overflow."""
    kind = node.meta["val"].dtype
    if kind.is_floating_point:
        wide = "" if kind.itemsize > 2 else "dtype=torch.float32"
        yield f"torch.isfinite({text}.detach().sum({wide}))"
