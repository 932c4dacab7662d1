"""A normalisation spelt out in means, differences and roots is one operator."""

from dataclasses import dataclass
from math import prod, sqrt

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, dtype, is_call, shape
from netwright_fusion.rules.affine import Affine, affine_of, scaled
from netwright_fusion.rules.matching import known, positive, rank, source
from netwright_fusion.rules.reduction import reduction_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
VARIANCES = (aten.var.correction, aten.var.dim)


@dataclass(frozen=True)
class Normalisation:
    """(x - mean x) / √(var x + ε) over some dimensions of known sizes.

    Attributes:
        correction: By how much fewer elements the variance's sum is divided: 0, or 1.
        scaling: What the differences are scaled with before they are divided, if anything.
        steps: The nodes that compute it, the last one excepted.
    """

    source: fx.Node
    dims: tuple[int, ...]
    eps: float
    correction: int
    scaling: Affine | None
    steps: tuple[fx.Node, ...]


class NormByHand(NodeRule):
    """Differences from a mean over the root of their variance: layer norm, of transposed dimensions where need be.

    Layer norm computes (x - μ) / √(v + ε) over the last dimensions, with v = Σ (x - μ)² / n. A variance that divides by
    n - 1 is v n / (n - 1), and 1 / √(v n / (n - 1) + ε) = √((n - 1) / n) / √(v + ε (n - 1) / n). It reads its input
    twice at most, where the steps read and write one image after the other. Special values make the whole row NaN, in
    the mean of either.
    """

    name = "normalisation by hand"
    reason = "There is one operator for what the steps compute, which reads and writes the values once."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """The last step of a normalisation over dimensions of known sizes, whose steps nobody else needs."""
        found = _normalisation(node)
        if found is None or dtype(found.source) != dtype(node):
            return None
        if any(user is not node and user not in found.steps for step in found.steps for user in step.users):
            return None
        return Rewrite(f"{node.name} -> layer norm", (*found.steps, node), lambda graph: _build(graph, found))


def _normalisation(node: fx.Node) -> Normalisation | None:
    """The node as the last step of a normalisation, or None."""
    parts = _quotient(node)
    if parts is None:
        return None
    centred, root, shifted = parts
    scaling = affine_of(centred)
    scaling = scaling if scaling is not None and scaling.scale is not None else None
    given = (centred,) if scaling is not None else ()
    centred = scaling.source if scaling is not None else centred
    affine = affine_of(shifted)
    eps = affine.shift if affine is not None and not affine.subtracts else None
    if affine is None or not isinstance(eps, int | float) or eps <= 0 or not is_call(centred, aten.sub.Tensor):
        return None
    whole, mean = centred.args[:2]
    found = reduction_of(mean) if isinstance(mean, fx.Node) else None
    if (
        not isinstance(mean, fx.Node)
        or found is None
        or found.kind != "mean"
        or not found.keepdim
        or found.source is not whole
    ):
        return None
    if arguments(centred)["alpha"] != 1 or not all(known(shape(found.source)[dim]) for dim in found.dims):
        return None
    variance = _variance(affine.source, found.dims, (found.source, centred))
    if variance is None:
        return None
    correction, steps = variance
    if correction and found.count == 1:
        return None
    every = (mean, centred, *given, *steps, shifted, root)
    return Normalisation(found.source, found.dims, float(eps), correction, scaling, every)


def _quotient(node: fx.Node) -> tuple[fx.Node, fx.Node, fx.Node] | None:
    """Numerator, root and radicand of something over, or times the reciprocal of, a square root."""
    if not is_call(node, aten.div.Tensor, aten.mul.Tensor) or not all(
        isinstance(each, fx.Node) for each in node.args[:2]
    ):
        return None
    first, second = node.args[:2]
    assert isinstance(first, fx.Node)
    assert isinstance(second, fx.Node)
    divides = is_call(node, aten.div.Tensor)
    for numerator, root in ((first, second),) if divides else ((first, second), (second, first)):
        plain, power = (aten.sqrt.default, 0.5) if divides else (aten.rsqrt.default, -0.5)
        if is_call(root, plain) or (is_call(root, aten.pow.Tensor_Scalar) and root.args[1] == power):
            return numerator, root, source(root)
    return None


def _variance(
    node: fx.Node, dims: tuple[int, ...], bases: tuple[fx.Node, fx.Node]
) -> tuple[int, tuple[fx.Node, ...]] | None:
    """The correction and the steps of a variance of a tensor or its differences from its mean; None if it is none."""
    if is_call(node, *VARIANCES):
        given = arguments(node)
        taken = given["dim"] or range(rank(given["self"]))
        same = tuple(sorted(positive(dim, rank(given["self"])) for dim in taken)) == dims and given["keepdim"]
        correction = given["correction"] if "correction" in given else int(given["unbiased"])
        correction = 1 if correction is None else correction
        return (int(correction), (node,)) if same and given["self"] in bases and correction in (0, 1) else None
    found = reduction_of(node)
    if found is None or found.kind != "mean" or found.dims != dims or not found.keepdim:
        return None
    return (0, (found.source, node)) if squared(found.source) is bases[1] else None


def squared(node: fx.Node) -> fx.Node | None:
    """What a node is the square of."""
    if is_call(node, aten.square.default):
        return source(node)
    if is_call(node, aten.pow.Tensor_Scalar) and node.args[1] == 2:
        return source(node)
    if is_call(node, aten.mul.Tensor) and node.args[0] is node.args[1]:
        return source(node)
    return None


def _build(graph: fx.Graph, found: Normalisation) -> fx.Node:
    sizes = [shape(found.source)[dim] for dim in found.dims]
    count = prod(sizes)
    eps = found.eps * (count - found.correction) / count
    order = [dim for dim in range(rank(found.source)) if dim not in found.dims] + list(found.dims)
    moved = order != sorted(order)
    rows = call(graph, aten.permute.default, found.source, order) if moved else found.source
    result = call(graph, aten.layer_norm.default, rows, sizes, None, None, eps)
    if moved:
        back = [order.index(dim) for dim in range(len(order))]
        result = call(graph, aten.contiguous.default, call(graph, aten.permute.default, result, back))
    if found.correction:
        result = call(graph, aten.mul.Tensor, result, sqrt((count - 1) / count))
    return result if found.scaling is None else scaled(graph, result, found.scaling)
