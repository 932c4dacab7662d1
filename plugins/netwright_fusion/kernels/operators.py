"""Which ATen operator a node calls, as the templates tell them apart."""

from typing import Any

from torch import fx
from torch._ops import OpOverload

from netwright_fusion.graph import arguments


def operator_name(node: fx.Node) -> str:
    """The bare name of an ATen operator that changes nothing in place; "getitem" of that; empty for all else."""
    target = node.target
    if node.op != "call_function":
        return ""
    if isinstance(target, OpOverload):
        return (
            target._schema.name.partition("::")[2]
            if target.namespace == "aten" and not target._schema.is_mutable
            else ""
        )
    return "getitem" if getattr(target, "__name__", "") == "getitem" else ""


def source_of(node: fx.Node) -> Any:
    """An ATen call's main argument: what its schema calls `self` or `input`."""
    given = arguments(node)
    return given["self"] if "self" in given else given.get("input")
