"""Names of the parts of a generated file."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import fx

from netwright_fusion.graph import operator_name


@dataclass(frozen=True)
class PartNames:
    """Names of the generated parts, none of which the original may use for something else."""

    record: str
    watch: str
    compute: str
    compiled: str
    prepare: str
    prepared: str
    kept: str
    sources: str


def part_names(text: str) -> PartNames:
    """Names that a source does not contain."""

    def free(name: str) -> str:
        while re.search(rf"\b{name}\b", text):
            name += "_"
        return name

    return PartNames(
        record=free("Prepared"),
        watch=free("Watch"),
        compute=free("_compute"),
        compiled=free("_compiled"),
        prepare=free("_prepare"),
        prepared=free("_prepared"),
        kept=free("_kept"),
        sources=free("_sources"),
    )


def field_names(kept: Sequence[fx.Node], constants: Collection[str]) -> dict[fx.Node, str]:
    """Per kept node, its field: named after the parameter that it comes from and the operator."""
    found: dict[fx.Node, str] = {}
    for node in kept:
        if node.op == "get_attr":
            name = "constant" if node.target in constants else str(node.target).replace(".", "_")
        else:
            name = f"{_first_parameter(node)}_{operator_name(node)}"
        name = re.sub(r"\W", "_", name).strip("_")
        name = name if name.isidentifier() and name not in ("count", "index") else f"value_{name}"
        number, stem = 2, name
        while name in found.values():
            name, number = f"{stem}_{number}", number + 1
        found[node] = name
    return found


def _first_parameter(node: fx.Node) -> str:
    while node.op == "call_function":
        if not node.all_input_nodes:
            return "constant"
        node = node.all_input_nodes[0]
    return str(node.target).replace(".", "_")
