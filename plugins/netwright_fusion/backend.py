"""The Dynamo backend: `torch.compile(model, backend="netwright")` rewrites a user's graph, Inductor does the rest."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch._dispatch.python import enable_python_dispatcher
from torch.fx.experimental.proxy_tensor import make_fx

from netwright_fusion.functional import inline_modes, make_functional
from netwright_fusion.graph import is_call, tidy
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES
from netwright_fusion.rules.rule import Rule

Compiled = Callable[..., Any]
log = logging.getLogger(__name__)
aten = torch.ops.aten


def netwright(graph: fx.GraphModule, example_inputs: Sequence[Any]) -> Compiled:
    """Apply the verified rewrite rules to a graph of Dynamo's, and hand the rest to Inductor.

    Rules that hold for any weights apply always, in training, too, where gradients flow through what they write. Those
    that pay only while weights stay apply under `no_grad` where no weight asks for gradients, and those for eval mode
    where nothing in the graph trains. A graph that cannot be rewritten goes to Inductor as it is.

    Args:
        graph: What Dynamo captured.
        example_inputs: Its inputs, parameters and buffers among them.
    """
    from torch._inductor.compile_fx import compile_fx

    try:
        rewritten = rewrite(graph)
    except Exception as error:  # the user's program must run, whatever this graph holds
        log.warning("netwright leaves a graph as it is: %s: %s", type(error).__name__, error)
        rewritten = None
    return cast("Compiled", compile_fx(rewritten or graph, list(example_inputs)))


def rewrite(graph: fx.GraphModule) -> fx.GraphModule | None:
    """The graph in ATen operators after all rules that hold, or None where none applies.

    Raises:
        Exception: The graph holds what cannot be traced so.
    """
    placeholders = list(graph.graph.find_nodes(op="placeholder"))
    fakes = [node.meta["example_value"] for node in placeholders]
    mode = next((fake.fake_mode for fake in fakes if hasattr(fake, "fake_mode")), None)
    if mode is None:
        return None
    with mode, enable_python_dispatcher():
        lowered: fx.GraphModule = make_fx(graph, pre_dispatch=True)(*fakes)
    inline_modes(lowered)
    make_functional(lowered)
    weights = [index for index, fake in enumerate(fakes) if _is_weight(placeholders[index], fake)]
    frozen = not torch.is_grad_enabled() and not any(fakes[index].requires_grad for index in weights)
    restore = _as_attributes(lowered, weights)
    applied = apply_rules(lowered, _rules(frozen=frozen), training=_trains(lowered))
    restore()
    if not applied:
        return None
    for each in applied:
        log.info("netwright: %s", each.key)
    tidy(lowered)
    return lowered


def _rules(*, frozen: bool) -> list[Rule]:
    """Those that need no measurement to pay, and whose conditions hold."""
    return [rule for rule in RULES if not rule.measured and (frozen or rule.conditions == "any weights")]


def _trains(graph: fx.GraphModule) -> bool:
    """Whether a norm of the graph uses the statistics of its own batch, or a dropout drops."""
    flags = {aten.batch_norm: 5, aten.dropout: 2, aten.instance_norm: 5}
    return any(
        is_call(node, operator) and len(node.args) > place and bool(node.args[place])
        for node in graph.graph.nodes
        for operator, place in flags.items()
    )


def _is_weight(placeholder: fx.Node, fake: object) -> bool:
    """Whether an input of Dynamo's graph is a parameter or buffer of a module."""
    if isinstance(fake, nn.Parameter):
        return True
    name = str(placeholder.target)
    return isinstance(fake, Tensor) and ("_buffers_" in name or "_parameters_" in name)


def _as_attributes(graph: fx.GraphModule, weights: Sequence[int]) -> Callable[[], None]:
    """Let parameters look as they do in captured graphs, where rules know them by; the result undoes that."""
    placeholders = list(graph.graph.find_nodes(op="placeholder"))
    last = placeholders[-1]
    pairs = []
    for index in weights:
        placeholder = placeholders[index]
        graph.register_buffer(f"weight_{index}", placeholder.meta["val"].detach())
        with graph.graph.inserting_after(last):
            node = graph.graph.get_attr(f"weight_{index}")
        node.meta = dict(placeholder.meta)
        placeholder.replace_all_uses_with(node)
        pairs.append((placeholder, str(node.target)))

    def restore() -> None:
        for placeholder, target in pairs:
            for node in list(graph.graph.find_nodes(op="get_attr", target=target)):
                node.replace_all_uses_with(placeholder)
                graph.graph.erase_node(node)
            delattr(graph, target)

    return restore
