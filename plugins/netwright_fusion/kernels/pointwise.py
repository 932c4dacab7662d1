"""Pointwise chains: any number of elementwise operators, with broadcasting and views between them, in one pass."""

from collections.abc import Iterable, Iterator

from torch import fx

from netwright_fusion.graph import dtype, is_tensor, shape
from netwright_fusion.kernels.body import Body, is_elementwise
from netwright_fusion.kernels.elementwise import SAME
from netwright_fusion.kernels.index import Index, Position, split
from netwright_fusion.kernels.operators import operator_name
from netwright_fusion.kernels.region import Order, Region, grow
from netwright_fusion.kernels.signature import Signature, memory_order, structure
from netwright_fusion.kernels.source import KernelText, describe, in_order, kernel_call, name_of
from netwright_fusion.kernels.template import INTERPRETED, Config, KernelCall, KernelSite, KernelTemplate
from netwright_fusion.kernels.views import is_view

LARGEST = 64
"""Nodes in one kernel at most: registers are finite."""


class Pointwise(KernelTemplate):
    """Elementwise operators that follow each other."""

    name = "pointwise"
    reason = "each operator by itself would load and store everything once more"

    def sites(self, graph: fx.GraphModule) -> Iterator[KernelSite]:
        """Regions of at least two operators that compute something."""
        order = Order(graph.graph)
        taken: set[fx.Node] = set()
        found = []
        for anchor in reversed(graph.graph.nodes):
            if anchor in taken or not is_elementwise(anchor) or not anchor.users:
                continue
            region = without_outer_views(order, grow(order, order.region([anchor]), _Candidates(anchor, taken)))
            taken |= region.members
            if sum(_computes(node) for node in region.nodes) >= 2:
                found.append(KernelSite(f"{describe(region)} at '{anchor.name}'", region, anchor))
        yield from reversed(found)

    def configs(self, site: KernelSite) -> tuple[Config, ...]:  # noqa: ARG002
        """Elements per program, and warps."""
        return (
            {"BLOCK": 1024, "num_warps": 4},
            {"BLOCK": 512, "num_warps": 4},
            {"BLOCK": 2048, "num_warps": 8},
            {"BLOCK": 256, "num_warps": 2},
        )

    def interpreted(self, site: KernelSite) -> Config:  # noqa: ARG002
        """Many elements per program."""
        return {"BLOCK": INTERPRETED}

    def build(self, site: KernelSite, config: Config | None = None, name: str | None = None) -> KernelCall:
        """One program per block of the output's memory."""
        config = config or self.configs(site)[0]
        name = name or name_of(site.region)
        signature = Signature()
        body = Body(signature, site.region)
        position = in_memory_order(signature, site.core)
        values = [(node, body.value(node, position)) for node in site.region.outputs]
        stores = [body.store(node, position, text) for node, text in values]
        offsets = [
            "program = tl.program_id(0).to(tl.int64 if WIDE else tl.int32)",
            "offsets = program * BLOCK + tl.arange(0, BLOCK)",
        ]
        text = KernelText(
            name=name,
            summary=f"Computes {describe(site.region)} in one pass: each program BLOCK elements of the output.",
            signature=signature,
            grid=(f"triton.cdiv({signature.outputs[site.core].name}.numel(), {config['BLOCK']})",),
            lines=in_order(offsets, body, stores, ["mask = offsets < elements"]),
            helpers=body.helpers,
            sizes={"elements": f"{signature.outputs[site.core].name}.numel()"},
            constants=config,
        )
        return kernel_call(text, site.region, self.name, config)


def in_memory_order(signature: Signature, node: fx.Node) -> Position:
    """The position of a kernel that walks through an output as it lies in memory."""
    order = memory_order(node) or tuple(range(len(shape(node))))
    sizes = signature.sizes(node)
    axes = split(Index("offsets", frozenset({"mask"})), [sizes[dim] for dim in order])
    return tuple(axes[order.index(dim)] for dim in range(len(order)))


def without_outer_views(order: Order, region: Region) -> Region:
    """Leave out views at a region's edge: outside they cost nothing, and say where the memory lies."""
    while True:
        outer = [
            node
            for node in region.nodes
            if is_view(node)
            and (not region.members.intersection(node.all_input_nodes) or not region.members.issuperset(node.users))
        ]
        if not outer:
            return region
        region = order.region(region.members.difference(outer))


class _Candidates:
    """What goes into a region and can be computed in it."""

    def __init__(self, anchor: fx.Node, taken: set[fx.Node]) -> None:
        self._shape = structure(anchor)
        self._taken = taken

    def __call__(self, region: Region) -> Iterable[fx.Node]:
        if len(region.nodes) >= LARGEST:
            return
        for node in reversed(region.inputs):
            if node in self._taken or not is_tensor(node):
                continue
            leaves = any(user not in region.members for user in node.users)
            if (is_elementwise(node) and (not leaves or structure(node) == self._shape)) or (
                is_view(node) and not leaves
            ):
                yield node


def _computes(node: fx.Node) -> bool:
    if is_view(node):
        return False
    return operator_name(node) not in SAME or dtype(node) != dtype(node.all_input_nodes[0])
