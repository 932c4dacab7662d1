"""A positive factor before a normalisation only makes its epsilon count for less or more."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.affine import affine_of
from netwright_fusion.rules.matching import has_one_user
from netwright_fusion.rules.norm_shift import averaged_dims
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
NORMS = (aten.instance_norm.default, aten.group_norm.default, aten.layer_norm.default, aten.rms_norm.default)
FACTORS = (1e-3, 1e3)
"""Beyond these, a rescaled epsilon might vanish beside a variance, or the variance beside it."""


class NormScale(NodeRule):
    """A positive factor, then a normalisation by the input's own statistics: the same with epsilon over its square.

    (s x - s μ) / √(s² v + ε) = (x - μ) / √(v + ε / s²) for s > 0; likewise without μ for RMS norm.
    """

    name = "scale cancelled by normalisation"
    reason = "The normalisation divides by the deviation, and with it by the factor; only its epsilon must follow."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A normalisation of something scaled by a positive number for it alone."""
        if not is_call(node, *NORMS):
            return None
        given = arguments(node)
        scaled = given["input"]
        affine = affine_of(scaled)
        factor = affine.number if affine else None
        if affine is None or factor is None or not has_one_user(scaled) or not given["eps"]:
            return None
        if not FACTORS[0] <= factor <= FACTORS[1]:
            return None
        if is_call(node, aten.instance_norm.default) and averaged_dims(node) is None:
            return None

        def build(graph: fx.Graph) -> fx.Node:
            rescaled = {**given, "input": affine.source, "eps": given["eps"] / factor**2}
            return call(graph, node.target, *rescaled.values())  # type: ignore[arg-type]

        return Rewrite(f"{scaled.name} -> epsilon of {node.name}", (scaled, node), build)
