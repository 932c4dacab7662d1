"""Memory layouts of a whole graph: computing them anew after a change, and keeping those of the outputs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx
from torch._dispatch.python import enable_python_dispatcher
from torch.fx.node import map_arg

from netwright_fusion.graph import call, is_tensor, value

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
    for node in graph.graph.nodes:
        if node.op != "call_function" or node.meta.get("kernel") is not None:
            continue
        args, kwargs = map_arg((node.args, node.kwargs), value)
        mode = next((each.fake_mode for each in _fakes(args, kwargs)), None)
        with torch.no_grad():
            node.meta["val"] = _run(node, args, kwargs, mode)


def _run(node: fx.Node, args: Any, kwargs: Any, mode: Any) -> Any:
    def run() -> Any:
        if mode is None:
            return node.target(*args, **kwargs)  # type: ignore[operator]
        with mode, enable_python_dispatcher():
            return node.target(*args, **kwargs)  # type: ignore[operator]

    try:
        return run()
    except (RuntimeError, ValueError):
        if node.target is not aten.view.default:
            raise
        node.target = aten.reshape.default
        return run()


def _fakes(args: Any, kwargs: Any) -> list[Any]:
    found: list[Any] = []

    def collect(item: Any) -> None:
        if isinstance(item, dict):
            item = list(item.values())
        if isinstance(item, list | tuple):
            for each in item:
                collect(each)
        elif hasattr(item, "fake_mode"):
            found.append(item)

    collect([args, kwargs])
    return found


def _leaves(graph: fx.GraphModule) -> tuple[Any, ...]:
    outputs = graph.graph.output_node().args[0]
    return tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)
