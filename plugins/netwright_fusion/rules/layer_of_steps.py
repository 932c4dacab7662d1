"""A layer that a loop applies to one step after the other can be applied to all of them at once."""

import operator
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, is_tensor, shape
from netwright_fusion.rules.layer_of_copies import columns
from netwright_fusion.rules.layout import with_layouts
from netwright_fusion.rules.matching import has_one_user, is_fixed, label, positive, rank, size_of
from netwright_fusion.rules.picks import pick_of
from netwright_fusion.rules.rule import NodeRule, Rewrite, Rule, Site

aten = torch.ops.aten
LAYERS = (aten.linear.default, aten.matmul.default, aten.mm.default)
STACKS = (aten.stack.default, aten.cat.default)


@dataclass(frozen=True)
class Layer:
    """A linear layer, or a product with a fixed matrix, of some input.

    Attributes:
        channels: The weight's dimension that meets the input's channels.
    """

    source: fx.Node
    weight: fx.Node
    bias: fx.Node | None
    channels: int

    def of(self, graph: fx.Graph, source: fx.Node, weight: fx.Node, bias: fx.Node | None) -> fx.Node:
        """Such a layer of another input, with another weight and bias."""
        if self.channels == 1:
            return call(graph, aten.linear.default, source, weight, bias)
        return call(graph, aten.matmul.default, source, weight)


@dataclass(frozen=True)
class Step:
    """A layer of one step of a sequence, alone or beside other channels.

    Attributes:
        node: The layer's call.
        sequence: What the step is picked from.
        dim, index: Where it is picked.
        stays: Whether the dimension stays, with size 1.
        start, end: Which of the layer's input channels it has.
        others: The other channels, in their order.
    """

    node: fx.Node
    layer: Layer
    sequence: fx.Node
    dim: int
    index: int
    stays: bool
    start: int
    end: int
    others: tuple[fx.Node, ...]

    @property
    def key(self) -> tuple[object, ...]:
        """What steps must have in common to be one layer's."""
        layer = self.layer
        return layer.weight, layer.bias, layer.channels, self.sequence, self.dim, self.start, self.end


class LayerOfSteps(Rule):
    """A linear layer of each step x_t, or of [x_t; h], as in a recurrent network by hand: of all steps at once.

    What a step gives does not depend on the others, so that (W x_t + b) is step t of W x + b: one large product, which
    reads W once. Beside a state h, which is known step by step only, W [x_t; h] + b = (W₁ x_t + b) + W₂ h, and the
    first part is taken out of the loop. It must be measured: a machine that is busy with one step gains nothing.
    Special values meet the same factors on both sides.
    """

    name = "layer of all steps"
    reason = "A linear layer does the same at each step, so that one product serves them all."
    measured = True

    def sites(self, graph: fx.GraphModule) -> Iterator[Site]:
        """Layers of one weight whose inputs, or channels of them, are the steps of one sequence, without gaps."""
        for name, steps in _loops(graph).items():
            yield Site(name, tuple(step.node for step in steps))

    def apply(self, graph: fx.GraphModule, site: Site) -> None:
        """Compute all steps in front of the first one."""
        steps = _loops(graph)[site.name]
        with_layouts(graph, lambda: _at_once(graph.graph, steps, f"{site.name}: {self.reason}"))


class StackOfLayers(NodeRule):
    """One linear layer applied to several inputs, whose outputs are stacked: the layer of the stacked inputs.

    Rows are the same wherever they stand, so that (W x₁ + b, W x₂ + b, …) is W (x₁, x₂, …) + b, one large product.
    It is how a recurrent network by hand makes its outputs of its states. It must be measured where inputs are larger
    than outputs, since these are copied then.
    """

    name = "stack of layers"
    reason = "The same linear layer of several inputs is one layer of them all, which reads its weights once."
    measured = True

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """A stack, or a concatenation along rows, of linear layers with one weight that nobody else needs."""
        if not is_call(node, *STACKS) or positive(arguments(node)["dim"], rank(node)) == rank(node) - 1:
            return None
        parts = arguments(node)["tensors"]
        layers = [part.args[0] if is_call(part, aten.unsqueeze.default) else part for part in parts]
        if len(set(layers)) < 2 or not all(has_one_user(each) for each in (*layers, *parts)):
            return None
        given = [arguments(layer) if is_call(layer, aten.linear.default) else {} for layer in layers]
        first = given[0]
        if any((each.get("weight"), each.get("bias")) != (first.get("weight"), first.get("bias")) for each in given):
            return None
        if not first or rank(first["weight"]) != 2 or any(rank(part) != rank(parts[0]) for part in parts):
            return None
        new = [positive(part.args[1], rank(part)) for part in parts if part not in layers]
        if any(dim == rank(part) - 1 for part in parts for dim in new) or len({*new}) > 1 or len(new) % len(parts):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            inputs = [each["input"] for each in given]
            if new:
                inputs = [call(graph, aten.unsqueeze.default, each, new[0]) for each in inputs]
            together = call(graph, node.target, inputs, positive(arguments(node)["dim"], rank(node)))  # type: ignore[arg-type]
            return call(graph, aten.linear.default, together, first["weight"], first["bias"])

        return Rewrite(f"{len(parts)} x {label(layers[0])} -> of a stack", (*layers, node), build)


def _loops(graph: fx.GraphModule) -> dict[str, list[Step]]:
    """The steps that can be computed at once, by what their site is called."""
    groups: dict[tuple[object, ...], list[Step]] = {}
    for node in graph.graph.nodes:
        for step in _steps(node):
            groups.setdefault(step.key, []).append(step)
    found = {}
    for steps in groups.values():
        indices = {step.index for step in steps}
        if len(indices) > 1 and max(indices) - min(indices) < len(indices):
            first = steps[0]
            name = f"{len(steps)} x {label(first.node)} -> of all steps of {first.sequence.name} ({first.node.name})"
            found[name] = steps
    return found


def _layer_of(node: fx.Node) -> Layer | None:
    given = list(arguments(node).values()) if is_call(node, *LAYERS) else []
    if not given or rank(given[1]) != 2:
        return None
    if is_call(node, aten.linear.default):
        return Layer(given[0], given[1], given[2], channels=1)
    return Layer(given[0], given[1], None, channels=0) if is_fixed(given[1]) else None


def _steps(node: fx.Node) -> Iterator[Step]:
    """A layer as one of a step, in each way that it is one."""
    layer = _layer_of(node)
    if layer is None:
        return
    source, last = layer.source, rank(layer.source) - 1
    parts = [source]
    if is_call(source, aten.cat.default) and positive(arguments(source)["dim"], last + 1) == last:
        parts = list(arguments(source)["tensors"]) if has_one_user(source) else []
    if any(rank(part) != last + 1 or size_of(part, last) is None for part in parts):
        return
    starts = [sum(shape(part)[last] for part in parts[:number]) for number in range(len(parts))]
    for part, start in zip(parts, starts, strict=True):
        found = _picked(part)
        if found is not None:
            others = tuple(other for begin, other in zip(starts, parts, strict=True) if begin != start)
            yield Step(node, layer, *found, start, start + shape(part)[last], others)


def _picked(node: fx.Node) -> tuple[fx.Node, int, int, bool] | None:
    """The sequence that a node is one step of, in which dimension, which step, and whether the dimension stays."""
    if is_call(node, operator.getitem) and is_call(node.args[0], aten.unbind.int):
        given = arguments(node.args[0])  # type: ignore[arg-type]
        sequence, dim, index, stays = given["self"], positive(given["dim"], rank(given["self"])), node.args[1], False
    elif is_tensor(node) and (pick := pick_of(node)) is not None and pick.count == 1:
        sequence, dim, index = node.args[0], pick.dim, pick.start
        stays = is_call(node, aten.slice.Tensor)
    else:
        return None
    if is_fixed(sequence) or dim == rank(sequence) - 1:
        return None
    return sequence, dim, index, stays  # type: ignore[return-value]


def _at_once(graph: fx.Graph, steps: list[Step], comment: str) -> None:
    first, indices = steps[0], [step.index for step in steps]
    begin, end = min(indices), max(indices) + 1
    layer, sequence = first.layer, first.sequence
    left = [(0, first.start), (first.end, shape(layer.weight)[layer.channels])]
    with graph.inserting_before(first.node):
        if (begin, end) != (0, size_of(sequence, first.dim)):
            sequence = call(graph, aten.slice.Tensor, sequence, first.dim, begin, end)
        weight = columns(graph, layer.weight, [(first.start, first.end)], layer.channels)
        every = layer.of(graph, sequence, weight, layer.bias)
        every.meta["comment"] = comment
        if first.others:
            rest = columns(graph, layer.weight, [each for each in left if each[0] < each[1]], layer.channels)
    for step in steps:
        with graph.inserting_before(step.node):
            result = _step_of(graph, every, step, step.index - begin)
            if step.others:
                source = step.others[0] if len(step.others) == 1 else call(graph, aten.cat.default, step.others, -1)
                result = call(graph, aten.add.Tensor, result, layer.of(graph, source, rest, None))
        step.node.replace_all_uses_with(result)
        graph.erase_node(step.node)


def _step_of(graph: fx.Graph, every: fx.Node, step: Step, index: int) -> fx.Node:
    if step.stays:
        return call(graph, aten.slice.Tensor, every, step.dim, index, index + 1)
    return call(graph, aten.select.int, every, step.dim, index)
