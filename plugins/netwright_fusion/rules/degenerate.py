"""Outputs that are the same whatever the input: a case with one is degenerate, and no speed-up on it means anything."""

from math import prod

import torch
from torch import fx

from netwright_fusion.graph import arguments, is_call, is_impure, is_tensor, shape
from netwright_fusion.rules.matching import is_fixed, known, positive, rank
from netwright_fusion.rules.ranges import range_of
from netwright_fusion.rules.reduction import Reduction, reduction_of

aten = torch.ops.aten


def why_constant(graph: fx.GraphModule) -> str | None:
    """Why no input has an influence on any output, where that is so; what it says of the first output."""
    outputs = graph.graph.output_node().args[0]
    leaves = outputs if isinstance(outputs, tuple | list) else (outputs,)
    found = constant_outputs(graph)
    return found[0] if leaves and len(found) == len(leaves) else None


def constant_outputs(graph: fx.GraphModule) -> dict[int, str]:
    """By index, the outputs that no input has an influence on, NaN and infinities aside, and why.

    NB: what is not found here may be constant all the same; the judge's own check for trivial answers sees the rest.
    """
    known_constants: dict[fx.Node, str | None] = {}
    outputs = graph.graph.output_node().args[0]
    leaves = outputs if isinstance(outputs, tuple | list) else (outputs,)
    found = {}
    for index, leaf in enumerate(leaves):
        reason = _constant(leaf, known_constants) if isinstance(leaf, fx.Node) and is_tensor(leaf) else None
        if reason:
            found[index] = reason
    return found


def _constant(node: fx.Node, seen: dict[fx.Node, str | None]) -> str | None:
    """Why a node is the same for all inputs, or None; without recursion along the graph's whole depth."""
    pending = [node]
    while pending:
        current = pending[-1]
        if current in seen:
            pending.pop()
            continue
        sources = [each for each in current.all_input_nodes if each not in seen]
        if sources:
            pending += sources
            continue
        pending.pop()
        seen[current] = _reason(current, seen)
    return seen[node]


def _reason(node: fx.Node, seen: dict[fx.Node, str | None]) -> str | None:
    if node.op == "get_attr":
        return f"'{node.target}' is a parameter" if is_fixed(node) else None
    if node.op != "call_function" or not is_tensor(node):
        return None
    low, high = range_of(node)
    if low == high:
        return f"{node.name} is always {low:g}"
    if why := _cancelled(node):
        return why
    if is_impure(node) or not node.all_input_nodes:
        return None
    reasons = [seen.get(each) for each in node.all_input_nodes]
    return next(iter(reasons)) if all(reasons) else None


def _cancelled(node: fx.Node) -> str | None:
    """Why a call's result does not depend on its input, by how it was made."""
    found = reduction_of(node)
    if found is not None and found.is_linear:
        return _averaged(node, found)
    if is_call(node, aten.layer_norm.default) and prod(arguments(node)["normalized_shape"]) == 1:
        return f"{node.name} normalises single elements"
    if is_call(node, aten.group_norm.default):
        given = arguments(node)
        sizes = shape(given["input"])[1:]
        if all(known(size) for size in sizes) and prod(sizes) == given["num_groups"]:
            return f"{node.name} normalises single elements"
    return None


def _averaged(node: fx.Node, found: Reduction) -> str | None:
    source, dims = found.source, set(found.dims)
    if is_call(source, aten.softmax.int) and positive(arguments(source)["dim"], rank(source)) in dims:
        return f"{node.name} sums what {source.name} has made sum up to 1"
    own = is_call(source, aten.instance_norm.default) and arguments(source)["use_input_stats"]
    if own and dims >= set(range(2, rank(source))):
        return f"{node.name} averages what {source.name} has given its mean"
    whole = is_call(source, aten.batch_norm.default) and arguments(source)["training"]
    if whole and dims >= {0, *range(2, rank(source))}:
        return f"{node.name} averages what {source.name} has given its mean"
    if is_call(source, aten.sub.Tensor):
        centre = reduction_of(source.args[1])  # type: ignore[arg-type]
        if centre and centre.kind == "mean" and centre.source is source.args[0] and dims >= set(centre.dims):
            return f"{node.name} averages what {source.name} has centred"
    return None
