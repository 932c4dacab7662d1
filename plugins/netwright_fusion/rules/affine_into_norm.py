"""Scaling or shifting what a normalisation returns can be done by its own scale and shift."""

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call, shape
from netwright_fusion.rules.affine import Affine, Operand, affine_of, scaled
from netwright_fusion.rules.matching import has_one_user, known, label, rank
from netwright_fusion.rules.rule import NodeRule, Rewrite, Site

aten = torch.ops.aten
BY_CHANNEL = (aten.batch_norm.default, aten.group_norm.default, aten.instance_norm.default)
BY_ELEMENT = (aten.layer_norm.default, aten.rms_norm.default)


class AffineIntoNorm(NodeRule):
    """A normalisation, then a scale or shift per channel: the normalisation with another scale and shift.

    s (g x̂ + b) + t = (s g) x̂ + (s b + t), where x̂ has been normalised: by channel after batch, group and instance
    norms, by normalised element after layer and RMS norms (the latter take no shift). The statistics, and what is
    remembered of them, are those of the input, and stay. Special values of x̂ meet s g instead of g and s.
    """

    name = "scale or shift into normalisation"
    reason = "A normalisation ends with a scale and a shift of its own, and can do both at once."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A scale or shift by a number, or by parameters that vary as the norm's do, of a norm nobody else needs."""
        affine = affine_of(node)
        if affine is None or not has_one_user(affine.source) or affine.number == 0:
            return None
        norm = affine.source
        sizes = _parameters(norm)
        if sizes is None or (is_call(norm, aten.rms_norm.default) and affine.shift is not None):
            return None
        first = 1 if is_call(norm, *BY_CHANNEL) else rank(norm) - len(sizes)
        operands = [each for each in (affine.operand, *_own(norm)) if isinstance(each, fx.Node)]
        if not _varies_within(affine.operand, rank(norm), first, first + len(sizes)):
            return None
        if any(dtype(each) != dtype(norm) for each in operands):
            return None
        what = "scale" if affine.scale is not None else "shift"
        return Rewrite(
            f"{label(norm)} -> with another {what}", (norm, node), lambda graph: _build(graph, affine, sizes, first)
        )

    def apply(self, graph: fx.GraphModule, site: Site) -> None:
        """Rewrite one site in place; the norm goes, although it may write what it remembers."""
        super().apply(graph, site)
        graph.graph.erase_node(site.nodes[0])


def _own(norm: fx.Node) -> tuple[fx.Node | None, fx.Node | None]:
    """The norm's own scale and shift."""
    given = arguments(norm)
    return given["weight"], given.get("bias")


def _parameters(norm: fx.Node) -> list[int] | None:
    """The sizes of a normalisation's scale; None of other calls."""
    if is_call(norm, *BY_CHANNEL):
        channels = shape(norm)[1]
        return [channels] if known(channels) else None
    return list(arguments(norm)["normalized_shape"]) if is_call(norm, *BY_ELEMENT) else None


def _varies_within(operand: Operand, dims: int, first: int, end: int) -> bool:
    """Whether an operand is the same along all dimensions but those from `first` to before `end`."""
    if not isinstance(operand, fx.Node):
        return True
    offset = dims - rank(operand)
    return all(size == 1 for dim, size in enumerate(shape(operand), start=offset) if not first <= dim < end)


def _build(graph: fx.Graph, affine: Affine, sizes: list[int], first: int) -> fx.Node:
    norm = affine.source
    given = arguments(norm)
    weight, bias = _own(norm)
    operand = _fitted(graph, affine.operand, rank(norm), first, len(sizes))
    if affine.scale is not None:
        weight = scaled(graph, weight or call(graph, aten.new_ones.default, given["input"], sizes), affine, operand)
        bias = bias and scaled(graph, bias, affine, operand)
    else:
        bias = scaled(graph, bias or call(graph, aten.new_zeros.default, given["input"], sizes), affine, operand)
    given["weight"] = weight
    if "bias" in given:
        given["bias"] = bias
    return call(graph, norm.target, *given.values())  # type: ignore[arg-type]


def _fitted(graph: fx.Graph, operand: Operand, dims: int, first: int, count: int) -> Operand:
    """An operand along dimensions first … first + count - 1 of `dims`, without the others."""
    if not isinstance(operand, fx.Node):
        return operand
    whole = [1] * (dims - rank(operand)) + list(shape(operand))
    return call(graph, aten.reshape.default, operand, whole[first : first + count])
