"""What is computed twice is computed once."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import fx

from netwright_fusion.graph import is_impure, is_tensor, replace
from netwright_fusion.rules.matching import shares_memory
from netwright_fusion.rules.rule import Rule, Site


class CommonSubexpression(Rule):
    """Two calls of one operator with the same arguments: one.

    An operator without side effects returns the same for the same arguments. Results that are returned, or that others
    view, stay apart: outputs must not come to share memory.
    """

    name = "common subexpression"
    reason = "The same operator with the same arguments was called before."

    def sites(self, graph: fx.GraphModule) -> Iterator[Site]:
        """Calls that repeat an earlier one."""
        seen: dict[Any, fx.Node] = {}
        for node in graph.graph.nodes:
            if node.op != "call_function" or not is_tensor(node) or is_impure(node):
                continue
            key = (node.target, _hashable(node.args), _hashable(node.kwargs))
            first = seen.setdefault(key, node)
            if first is not node and not _is_kept(node) and not _is_kept(first):
                yield Site(f"{node.name} -> {first.name}", (first, node))

    def apply(self, graph: fx.GraphModule, site: Site) -> None:  # noqa: ARG002
        """Use the first result in place of the second."""
        first, second = site.nodes
        replace(second, first)


def _hashable(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_hashable(each) for each in value)
    if isinstance(value, dict):
        return tuple(sorted((key, _hashable(each)) for key, each in value.items()))
    if isinstance(value, torch.dtype | torch.device | torch.memory_format | torch.layout):
        return str(value)
    if isinstance(value, float):
        return value.hex()  # 0.0 == -0.0
    return (type(value).__name__, value)


def _is_kept(node: fx.Node) -> bool:
    return any(user.op == "output" or (is_tensor(user) and shares_memory(user, node)) for user in node.users)
