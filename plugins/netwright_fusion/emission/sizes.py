"""Symbolic sizes: which of them a program names, and what they are read from."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import fx

from netwright_fusion.graph import is_call


def symbols_of(
    program: Sequence[fx.Node], names: Mapping[fx.Node, str], forbidden: Collection[str]
) -> dict[str, tuple[str, str]]:
    """Per symbolic size that a program uses: a name for it, and what that is read from.

    Args:
        names: Per placeholder, the name of its tensor.
        forbidden: Names that mean something else.
    """
    if not any(_uses_sizes(node) for node in program):
        return {}
    found: dict[str, tuple[str, str]] = {}
    for node, text in names.items():
        sizes: tuple[Any, ...] = tuple(node.meta["val"].shape)
        for index, size in enumerate(sizes):
            symbol = "" if isinstance(size, int) else str(size.node.expr)
            if symbol.isidentifier() and symbol not in found:
                wanted = "batch" if index == 0 and not found else f"size_{len(found) + 1}"
                while wanted in forbidden or wanted in names.values():
                    wanted += "_"
                found[symbol] = (wanted, f"{text}.shape[{index}]")
    return found


def _uses_sizes(node: fx.Node) -> bool:
    if is_call(node, torch.ops.aten.sym_size):
        return True
    flat: list[Any] = [*node.args, *node.kwargs.values()]
    while flat:
        each = flat.pop()
        if isinstance(each, torch.SymInt):
            return True
        if isinstance(each, (list, tuple)):
            flat += each
    return False
