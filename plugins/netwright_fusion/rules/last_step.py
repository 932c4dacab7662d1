"""The last step of a recurrent layer that reads its sequence both ways needs one step of the way back."""

import operator
from typing import Any

import torch
from torch import fx

from netwright_fusion.graph import arguments, call, is_call, is_random
from netwright_fusion.rules.matching import known, rank, size_of
from netwright_fusion.rules.picks import Pick, pick_of
from netwright_fusion.rules.rule import NodeRule, Rewrite

aten = torch.ops.aten
RECURRENT = (aten.lstm.input, aten.gru.input, aten.rnn_tanh.input, aten.rnn_relu.input)


class LastStepBothWays(NodeRule):
    """The last step of a bidirectional LSTM, GRU or RNN's output: the way back reads one step instead of all.

    At step T the way forth has read everything, while the way back has only begun: its output there is one step from
    its initial state with the input x[T]. The layers below are needed whole; of the last one, nearly half the products
    go. Special values in other steps reach the last one by the way forth only, on both sides.
    """

    name = "last step both ways"
    reason = "At the last step, the way back has read one input only."

    def rewrite(self, node: fx.Node) -> Rewrite | None:
        """The last step, or the first, of the output of such a layer whose states nobody needs."""
        pick = pick_of(node)
        if pick is None or pick.count != 1 or not is_call(node.args[0], operator.getitem):
            return None
        out = node.args[0]
        assert isinstance(out, fx.Node)
        layer, part = out.args
        if part != 0 or len(out.users) != 1 or not isinstance(layer, fx.Node) or not is_call(layer, *RECURRENT):
            return None
        given = arguments(layer)
        steps = 1 if given["batch_first"] else 0
        length = size_of(out, pick.dim)
        if not given["bidirectional"] or pick.dim != steps or rank(out) != 3 or is_random(layer):
            return None
        if length is None or length == 1 or pick.start not in (0, length - 1) or _has_projections(given):
            return None
        if any(user is not out and user.users for user in layer.users):
            return None

        def build(graph: fx.Graph) -> fx.Node:
            ends = _ends(graph, layer, Pick(steps, pick.start, 1), Pick(steps, length - 1, 1))
            return call(graph, aten.select.int, ends, steps, 0) if is_call(node, aten.select.int) else ends

        return Rewrite(f"{layer.name} -> one step of one way", (layer, out, node), build)


def _has_projections(given: dict[str, Any]) -> bool:
    """Whether an LSTM's state is narrower than its cell: there is one more weight per layer and way then."""
    per_way = 4 if given["has_biases"] else 2
    return len(given["params"]) != per_way * 2 * given["num_layers"] or not known(given["num_layers"])


def _ends(graph: fx.Graph, layer: fx.Node, step: Pick, last: Pick) -> fx.Node:
    """The layer's output at one end of the sequence, its own dimension kept with size 1.

    Args:
        step: The end.
        last: The last step.
    """
    given = arguments(layer)
    layers, params = given["num_layers"], list(given["params"])
    per_way = len(params) // (2 * layers)
    source = given["input"]
    if layers > 1:
        below = {"params": params[: -2 * per_way], "num_layers": layers - 1}
        source = _run(graph, layer, source, 0, 2 * layers - 2, **below)
    one_step, halves = (1 if step == last else 0), []
    for way in (0, 1):
        own = {"params": params[len(params) - (2 - way) * per_way :][:per_way], "num_layers": 1, "bidirectional": False}
        if way == one_step:
            half = _run(graph, layer, step.of(graph, source), 2 * layers - 2 + way, 1, **own)
        else:
            read = source if step == last else call(graph, aten.flip.default, source, [step.dim])
            half = last.of(graph, _run(graph, layer, read, 2 * layers - 2 + way, 1, **own))
        halves.append(half)
    return call(graph, aten.cat.default, halves, 2)


def _run(graph: fx.Graph, layer: fx.Node, source: fx.Node, start: int, count: int, **changes: Any) -> fx.Node:
    """The output of some of the layers and ways, whose initial states are `count` from `start` on."""
    given = {**arguments(layer), "input": source, **changes}
    states = given["hx"] if isinstance(given["hx"], list | tuple) else [given["hx"]]
    own = [call(graph, aten.slice.Tensor, each, 0, start, start + count) for each in states]
    given["hx"] = own if isinstance(given["hx"], list | tuple) else own[0]
    return call(graph, operator.getitem, call(graph, layer.target, *given.values()), 0)  # type: ignore[arg-type]
