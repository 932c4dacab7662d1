"""What matrix products and convolutions share: a tile of sums of products, and all that is done with it."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import fx

from netwright_fusion.graph import dtype
from netwright_fusion.kernels.body import load_text
from netwright_fusion.kernels.frame import Frame, frame_of
from netwright_fusion.kernels.index import Axis, Index, Position, Size, offset
from netwright_fusion.kernels.pointwise import without_outer_views
from netwright_fusion.kernels.region import Order, grow
from netwright_fusion.kernels.rows import Neighbours, RowWriter, power_of_two
from netwright_fusion.kernels.signature import FLOATS, Operand, Signature
from netwright_fusion.kernels.source import KernelText, describe, indented, kernel_call, name_of
from netwright_fusion.kernels.template import INTERPRETED, Config, KernelCall, KernelSite, KernelTemplate

WIDEST_ROW = 256
"""Columns up to which a tile holds whole rows, so that they can be reduced in it."""

TILES = ((64, 64, 4, 3), (128, 128, 8, 3), (128, 64, 4, 4), (32, 64, 4, 3), (32, 128, 4, 3))
"""Rows and columns, warps and stages worth trying, the default first."""


class ProductTemplate(KernelTemplate):
    """A tile of rows and columns, each element a sum over depth, with a pointwise or row-reducing epilogue.

    Args:
        everywhere: Also where PyTorch's own kernel is likely faster, as for wide products in float32.
    """

    def __init__(self, *, everywhere: bool = False) -> None:
        self._everywhere = everywhere

    @abstractmethod
    def matches(self, node: fx.Node) -> bool:
        """Whether a node is such a product."""

    @abstractmethod
    def worthwhile(self, node: fx.Node) -> bool:
        """Whether this kernel can be faster than PyTorch's own, epilogue aside."""

    @abstractmethod
    def frame(self, node: fx.Node) -> Frame:
        """Which dimensions of the result are rows, and which one the columns."""

    @abstractmethod
    def depth(self, node: fx.Node) -> int:
        """How many products are summed."""

    @abstractmethod
    def step(self, node: fx.Node, signature: Signature, full: Position, *, masked: bool) -> "Step":
        """How the two tiles of a step along depth are loaded.

        Args:
            masked: Whether the last step reaches beyond the depth, so that `depth_mask` is needed.
        """

    def bias(self, node: fx.Node) -> fx.Node | None:
        """What is added to each column."""
        bias = node.args[2] if len(node.args) > 2 else node.kwargs.get("bias")
        return bias if isinstance(bias, fx.Node) else None

    def sites(self, graph: fx.GraphModule) -> Iterator[KernelSite]:
        """Each product with what is done with its result."""
        order = Order(graph.graph)
        taken: set[fx.Node] = set()
        for node in list(graph.graph.nodes):
            if node in taken or node.op != "call_function" or not node.users or not self.matches(node):
                continue
            if not self._everywhere and not self.worthwhile(node):
                continue
            frame = self.frame(node)
            if all(size == 1 for size in frame.squeezed):  # no rows to make a tile of
                continue
            around = Neighbours(frame, taken | set(node.all_input_nodes), reductions=frame.columns <= WIDEST_ROW)
            region = without_outer_views(order, grow(order, order.region([node]), around))
            if len(region.nodes) > 1 or self.stands_alone(node):
                taken |= region.members
                yield KernelSite(f"{describe(region)} at '{node.name}'", region, node)

    def stands_alone(self, node: fx.Node) -> bool:  # noqa: ARG002
        """Whether the kernel is worth having without an epilogue."""
        return False

    def configs(self, site: KernelSite) -> tuple[Config, ...]:
        """Rows, columns and depth of a tile, warps and stages."""
        frame, narrow = self.frame(site.core), dtype(site.core).itemsize < 4
        columns = max(16, power_of_two(frame.columns))
        depth = max(16, min(power_of_two(self.depth(site.core)), 64 if narrow else 32))
        reduces = any(frame_of(node) == frame for node in site.region.nodes)
        found: list[Config] = []
        for rows, most, warps, stages in TILES:
            wide = columns if reduces else min(columns, most)
            tile = {"ROWS": 32 if wide > 128 else rows, "COLUMNS": wide, "DEPTH": depth}
            config = {**tile, "num_warps": warps, "num_stages": stages}
            if config not in found:
                found.append(config)
        return tuple(found)

    def interpreted(self, site: KernelSite) -> Config:
        """Many rows per program, and few steps."""
        depth = min(power_of_two(self.depth(site.core)), 256)
        return {"ROWS": max(64, INTERPRETED // max(depth, self.configs(site)[0]["COLUMNS"])), "DEPTH": depth}

    def build(self, site: KernelSite, config: Config | None = None, name: str | None = None) -> KernelCall:
        """One program per tile of the result."""
        config = config or self.configs(site)[0]
        node, frame = site.core, self.frame(site.core)
        name = name or name_of(site.region)
        signature = Signature()
        exact = frame.columns % config["COLUMNS"] == 0
        full = self.position(node, signature, frame, exact=exact)
        writer = RowWriter(signature, site.region, frame, full, whole=True, exact=exact)
        total = signature.local.give("total")
        core = self.core(node, signature, full, total, config)
        writer.made[node] = total
        tiles = -(-frame.columns // config["COLUMNS"])
        masks = ["row_mask = row < rows", *self.masks(node)]
        masks += [] if exact else [f"column_mask = column < {frame.columns}"]
        layers = self.layers(node, signature)
        lines = writer.tile([*self._tile(layers, tiles), *self.offsets(node, signature)], masks, core)
        rows = self.rows(node, frame, signature)
        programs = f"triton.cdiv({rows}, {config['ROWS']})"
        text = KernelText(
            name=name,
            summary=f"Computes {describe(site.region)}: each program a tile of ROWS by COLUMNS.",
            signature=signature,
            grid=(" * ".join([programs, *(str(each) for each in (tiles, layers) if each != 1)]),),
            lines=lines,
            helpers=writer.helpers,
            sizes={"rows": str(rows)},
            constants=config,
        )
        return kernel_call(text, site.region, self.name, config)

    def position(self, node: fx.Node, signature: Signature, frame: Frame, *, exact: bool) -> Position:  # noqa: ARG002
        """Where in the result the tile's element at `row` and `column` lies."""
        full = list(frame.full(signature, range(len(frame.shape)), exact=exact))
        (dim,) = frame.reduced
        full[dim] = column_axis(frame, exact=exact)
        return tuple(full)

    def rows(self, node: fx.Node, frame: Frame, signature: Signature) -> Size:  # noqa: ARG002
        """How many rows there are."""
        return frame.rows(signature.size)

    def masks(self, node: fx.Node) -> list[str]:  # noqa: ARG002
        """Further masks of the result."""
        return []

    def layers(self, node: fx.Node, signature: Signature) -> Size:  # noqa: ARG002
        """How many times there are so many rows: batches, phases."""
        return 1

    def offsets(self, node: fx.Node, signature: Signature) -> list[str]:  # noqa: ARG002
        """Lines that follow from `layer` and `row`, before the masks."""
        return []

    def _tile(self, layers: Size, tiles: int) -> list[str]:
        """The first lines: which tile this is."""
        lines = ["program = tl.program_id(0).to(tl.int64 if WIDE else tl.int32)"]
        place = "program"
        if layers != 1:
            each = "tl.cdiv(rows, ROWS)" + (f" * {tiles}" if tiles > 1 else "")
            lines += [f"tiles = {each}", "layer = program // tiles", "tile = program % tiles"]
            place = "tile"
        row, column = (f"{place} // {tiles}", f"{place} % {tiles}") if tiles > 1 else (place, "")
        lines.append(f"row = {f'({row})' if tiles > 1 else row} * ROWS + tl.arange(0, ROWS)[:, None]")
        return [*lines, f"column = {f'{column} * COLUMNS + ' if column else ''}tl.arange(0, COLUMNS)[None, :]"]

    def core(self, node: fx.Node, signature: Signature, full: Position, total: str, config: Config) -> list[str]:
        """The lines that leave a tile's sums, bias included, in the variable `total`."""
        depth = self.depth(node)
        masked = depth % config["DEPTH"] != 0
        step = self.step(node, signature, full, masked=masked)
        inside = [
            "depth = start + tl.arange(0, DEPTH)",
            *([f"depth_mask = depth < {depth}"] if masked else []),
            *step.inside,
            *_load("left", *step.left),
            *_load("right", *step.right),
            f'{total} = tl.dot(left, right, {total}, input_precision="ieee")',
        ]
        lines = [
            *step.before,
            f"{total} = tl.zeros([ROWS, COLUMNS], tl.float32)",
            f"for start in range(0, {depth}, DEPTH):",
            *indented(inside),
        ]
        if (bias := self.bias(node)) is not None:
            operand = signature.input(bias)
            where = offset((full[self.frame(node).reduced[0]],), operand.strides)
            lines.append(f"{total} += {load_text(operand, where)}")
        return lines


@dataclass(frozen=True)
class Step:
    """One step along depth: the lines before the loop and inside it, and what both tiles are loaded from."""

    left: tuple[Operand, Index]
    """Rows by depth: the tensor, and where in it."""
    right: tuple[Operand, Index]
    """Depth by columns."""
    before: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()


def _load(name: str, operand: Operand, where: Index) -> list[str]:
    """Lines that load a tile, in the operand's own type."""
    masked = f", mask={name}_mask, other=0.0" if where.masks else ""
    lines = [f"{name}_mask = {' & '.join(sorted(where.masks))}"] if where.masks else []
    return [
        f"{name}_offsets = {where.text}",
        *lines,
        f"{name} = tl.load({operand.name}_pointer + {name}_offsets{masked})",
    ]


def column_axis(frame: Frame, *, exact: bool) -> Axis:
    """The columns of a tile, which has as many as it has, even where only one is used."""
    return Axis(frame.columns, Index("column", frozenset() if exact else frozenset({"column_mask"})))


def across(text: str, *masks: str) -> Index:
    """An index along depth, one per element, as a row of a tile."""
    return Index(f"{text}[None, :]", frozenset(f"{mask}[None, :]" for mask in masks))


def along(text: str, *masks: str) -> Index:
    """An index along depth, one per element, as a column of a tile."""
    return Index(f"{text}[:, None]", frozenset(f"{mask}[:, None]" for mask in masks))


def is_plain_product(node: fx.Node, *operands: object) -> bool:
    """Whether operands and result have one floating-point type that kernels take."""
    kinds = {dtype(each) for each in (node, *operands) if isinstance(each, fx.Node)}
    return len(kinds) == 1 and kinds <= FLOATS


def is_narrow(node: fx.Node) -> bool:
    """Whether tensor cores take the node's type without losing precision that was asked for."""
    return dtype(node) in (torch.float16, torch.bfloat16)
