"""Memory layouts of a whole graph: computing them anew after a change, and keeping those of the outputs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_arg

from netwright_fusion.graph import call, is_tensor, on_fakes, value

aten = torch.ops.aten


def with_layouts(graph: fx.GraphModule, change: Callable[[], None]) -> None:
    """Change a graph, bring all values up to date, and give the outputs the layouts that they had."""
    before = [value(leaf) if is_tensor(leaf) else None for leaf in _leaves(graph)]
    change()
    refresh(graph)
    output = graph.graph.output_node()
    leaves: list[Any] = []
    with graph.graph.inserting_before(output):
        for leaf, old in zip(_leaves(graph), before, strict=True):
            dense = isinstance(old, Tensor) and old.is_contiguous() and isinstance(leaf, fx.Node)
            leaves.append(call(graph.graph, aten.contiguous.default, leaf) if dense else leaf)
    output.args = (tuple(leaves),)


def refresh(graph: fx.GraphModule) -> None:
    """Compute every call's fake value again; views of what is no longer dense become reshapes."""
    with on_fakes(graph.graph):
        for node in graph.graph.nodes:
            if node.op == "call_function" and node.meta.get("kernel") is None:
                node.meta["val"] = _run(node)


def _run(node: fx.Node) -> Any:
    args, kwargs = map_arg((node.args, node.kwargs), value)
    try:
        return node.target(*args, **kwargs)  # type: ignore[operator]
    except (RuntimeError, ValueError):
        if node.target is not aten.view.default:
            raise
        node.target = aten.reshape.default
        return aten.reshape.default(*args, **kwargs)


def _leaves(graph: fx.GraphModule) -> tuple[Any, ...]:
    outputs = graph.graph.output_node().args[0]
    return tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)
