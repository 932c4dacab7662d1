"""What a normalisation has centred has its shift for a mean, and need not be averaged again."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call
from netwright_fusion.rules.matching import label
from netwright_fusion.rules.norm_shift import SOFTMAXES, averaged_dims
from netwright_fusion.rules.reduction import reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten


class NormCentred(NodeRule):
    """A normalisation, less its own mean over the very dimensions that it averages: the normalisation without shift.

    With y = w x̂ + b, where w and b are the same along these dimensions, mean y = w mean x̂ + b = b, for x̂ has mean 0.
    So y - mean y = w x̂. Instance norm has w and b per channel, and so has group norm with one channel per group; other
    group norms and layer norms vary them along what they average, and must have none. NaN and infinities make NaN of
    everything that is averaged with them, on both sides.
    """

    name = "centred again after normalisation"
    reason = "What was normalised has mean 0 before it is shifted; without the shift there is nothing to subtract."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A normalisation less its mean, that nobody else needs."""
        if not is_call(node, aten.sub.Tensor) or arguments(node)["alpha"] != 1:
            return None
        norm, mean = node.args[:2]
        found = reduction_of(mean) if isinstance(mean, fx.Node) else None
        if found is None or found.kind != "mean" or not found.keepdim or found.source is not norm:
            return None
        averaged = averaged_dims(found.source)
        if averaged != found.dims or found.source.target in SOFTMAXES or set(found.source.users) != {mean, node}:
            return None
        given = arguments(found.source)
        by_channel = 1 not in averaged and not is_call(found.source, aten.layer_norm.default)
        if not by_channel and (given["weight"] is not None or given["bias"] is not None):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            return call(graph, found.source.target, *(given | {"bias": None}).values())  # type: ignore[arg-type]

        return Rewrite(f"{label(found.source)} less its mean -> without shift", (found.source, node), build)
