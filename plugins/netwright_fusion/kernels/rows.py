"""Row reductions with all the pointwise work around them: softmax, norms, sums, extremes, cumulative sums."""

from collections.abc import Collection, Iterable, Iterator, Sequence

import torch
from torch import fx

from netwright_fusion.graph import arguments, is_tensor, shape
from netwright_fusion.kernels.body import MOVES, Body, is_elementwise
from netwright_fusion.kernels.elementwise import literal
from netwright_fusion.kernels.frame import (
    GLOBAL_POOLS,
    NORMS,
    PAIRS,
    SCANS,
    SOFTMAXES,
    SUMMARIES,
    Frame,
    frame_of,
    layout_of,
    rows_are_fastest,
)
from netwright_fusion.kernels.index import Position
from netwright_fusion.kernels.operators import operator_name, source_of
from netwright_fusion.kernels.pointwise import without_outer_views
from netwright_fusion.kernels.region import Order, Region, grow
from netwright_fusion.kernels.signature import Signature, structure
from netwright_fusion.kernels.source import KernelText, describe, in_order, indented, kernel_call, name_of
from netwright_fusion.kernels.statistics import Exponentials, Extreme, First, Moments, Product, Statistic, Total
from netwright_fusion.kernels.template import (
    INTERPRETED,
    Config,
    KernelCall,
    KernelSite,
    KernelTemplate,
    UnsupportedError,
)
from netwright_fusion.kernels.views import is_view

LARGEST = 64
"""Nodes in one kernel at most."""
LONGEST_AT_ONCE = 16384
"""Columns that one program keeps in registers; longer rows are read in blocks."""
KEEPS_ORDER = frozenset({"expand", "expand_as", "squeeze", "unsqueeze"})
"""Views that a row kernel looks through: those that leave each value in its row."""

Key = tuple[str, fx.Node]
"""A kind of statistic, and what it is taken of."""


class Rows(KernelTemplate):
    """Reductions over the same dimensions, what goes into them, and what is done with their results."""

    name = "rows"
    reason = "a row is loaded once and stays in registers while it is reduced, used and stored"

    def sites(self, graph: fx.GraphModule) -> Iterator[KernelSite]:
        """Regions around each reduction."""
        order = Order(graph.graph)
        taken: set[fx.Node] = set()
        for node in list(graph.graph.nodes):
            frame = None if node in taken else frame_of(node)
            if frame is None or not node.users:
                continue
            region = order.region([node, *(node.users if is_pair(node) else ())])
            if not order.placeable(region):
                continue
            region = without_outer_views(order, grow(order, region, Neighbours(frame, taken)))
            taken |= region.members
            yield KernelSite(f"{describe(region)} at '{node.name}'", region, node)

    def configs(self, site: KernelSite) -> tuple[Config, ...]:
        """Rows per program, columns at a time, and warps."""
        frame = frame_of(site.core)
        assert frame is not None
        together = rows_are_fastest(frame, layout_of(frame, source_of(site.core)))
        whole = power_of_two(frame.columns)
        found: list[Config] = []
        for least, most in ((1024, LONGEST_AT_ONCE), (4096, LONGEST_AT_ONCE), (512, 2048), (2048, 4096)):
            block = min(whole, most // 32 if together else most)
            block = block if whole <= block or block < 1024 else min(block, 4096)
            rows = min(max(1, least // block, 32 if together else 1), frame.most_rows)
            warps = min(16, max(1, rows * block // 512))
            config = {"ROWS": rows, "BLOCK": block, "num_warps": power_of_two(warps)}
            if config not in found:
                found.append(config)
        return tuple(found)

    def interpreted(self, site: KernelSite) -> Config:
        """Many rows per program."""
        frame = frame_of(site.core)
        assert frame is not None
        return {"ROWS": min(max(1, INTERPRETED // self.configs(site)[0]["BLOCK"]), frame.most_rows)}

    def build(self, site: KernelSite, config: Config | None = None, name: str | None = None) -> KernelCall:
        """One program per `ROWS` rows; rows longer than `BLOCK` are read in blocks, as often as they must be."""
        config = config or self.configs(site)[0]
        frame = frame_of(site.core)
        assert frame is not None
        name = name or name_of(site.region)
        signature = Signature()
        exact = config["BLOCK"] == frame.columns
        full = frame.full(signature, layout_of(frame, _layout_source(site)), exact=exact)
        whole = config["BLOCK"] >= frame.columns
        writer = RowWriter(signature, site.region, frame, full, whole=whole, exact=exact)
        lines = [
            "program = tl.program_id(0).to(tl.int64 if WIDE else tl.int32)",
            "row = program * ROWS + tl.arange(0, ROWS)[:, None]",
            *writer.lines(),
        ]
        rows = frame.rows(signature.size)
        text = KernelText(
            name=name,
            summary=f"Computes {describe(site.region)}: each program ROWS rows of {frame.columns} elements.",
            signature=signature,
            grid=(f"triton.cdiv({rows}, {config['ROWS']})",),
            lines=lines,
            helpers=writer.helpers,
            sizes={"rows": str(rows)},
            constants=config,
        )
        return kernel_call(text, site.region, self.name, config)


def is_pair(node: fx.Node) -> bool:
    """Whether a node yields values and indices."""
    return operator_name(node) in PAIRS and "dim" in arguments(node)


def _layout_source(site: KernelSite) -> fx.Node:
    """The node whose memory decides in which order rows and columns are counted: a large input, else the core's."""
    wanted = structure(source_of(site.core))
    return next(
        (node for node in site.region.inputs if is_tensor(node) and structure(node) == wanted), source_of(site.core)
    )


def power_of_two(number: int) -> int:
    """The least power of two that is not less."""
    return 1 << max(0, number - 1).bit_length()


class Neighbours:
    """What can join a region of one frame: its neighbours that have one value per element or per row.

    Args:
        taken: Nodes of other regions, and those that a kernel reads in a way of its own.
        reductions: Whether whole rows are at hand.
    """

    def __init__(self, frame: Frame, taken: Collection[fx.Node], *, reductions: bool = True) -> None:
        self.frame = frame
        self._taken = taken
        self._reductions = reductions
        self._shapes = {frame.shape} if frame.groups > 1 else {frame.shape, frame.keepdim, frame.squeezed}

    def __call__(self, region: Region) -> Iterable[fx.Node]:
        if len(region.nodes) >= LARGEST:
            return
        users = [user for node in region.nodes for user in node.users]
        for node in dict.fromkeys([*region.inputs, *users]):
            if node not in self._taken and node not in region.members and self._fits(node, region):
                yield node

    def _fits(self, node: fx.Node, region: Region) -> bool:
        if frame_of(node) == self.frame:
            return self._reductions and not is_pair(node)
        if not is_tensor(node):
            return False
        leaves = any(user not in region.members for user in node.users)
        if is_view(node):
            return (
                operator_name(node) in KEEPS_ORDER
                and structure(node) in self._shapes
                and not (leaves and node in region.inputs)
            )
        if not is_elementwise(node) or operator_name(node) in MOVES:
            return False
        return structure(node) in self._shapes or (not leaves and node in region.inputs)


class RowWriter:
    """Writes the statements of a row kernel: at once, or pass by pass."""

    def __init__(
        self, signature: Signature, region: Region, frame: Frame, full: Position, *, whole: bool, exact: bool
    ) -> None:
        self._signature = signature
        self._region = region
        self.frame = frame
        self.full = full
        self.whole = whole
        self._exact = exact
        self._known: dict[Key, tuple[str, ...]] = {}
        self.made: dict[fx.Node, str] = {}
        """Nodes that are computed otherwise, and their variables."""
        self.positions = {**frame.row_positions(full), frame.shape: full}
        self.helpers: set[str] = set()

    def lines(self) -> list[str]:
        """Everything after the rows are known."""
        outputs = self._region.outputs
        if self.whole:
            masks = [] if self._exact else [f"column_mask = column < {self.frame.columns}"]
            return self.tile(["column = tl.arange(0, BLOCK)[None, :]"], ["row_mask = row < rows", *masks])
        lines = ["row_mask = row < rows"]
        levels = self._levels()
        for level in range(1, max(levels.values(), default=0) + 1):
            lines += self._pass([key for key, at in levels.items() if at == level])
        per_row = [node for node in outputs if structure(node) != self.frame.shape]
        per_element = [node for node in outputs if node not in per_row]
        if per_element:
            body = self._body()
            lines += self._loop(body, [self._store(body, node) for node in per_element])
        if per_row:
            body = self._body()
            stores = [self._store(body, node) for node in per_row]
            lines += in_order([], body, stores)
        return lines

    def tile(self, columns: Sequence[str], masks: Sequence[str], core: Sequence[str] = ()) -> list[str]:
        """Everything after the rows are known, for a tile that holds all that is reduced.

        Args:
            core: Lines that compute what `made` names, between the masks and the loads of what is done with it.
        """
        body = self._body()
        stores = [self._store(body, node) for node in self._region.outputs]
        return [*columns, *body.offsets, *masks, *body.masks, *core, *body.loads, *body.computes, *stores]

    def _pass(self, keys: Sequence[Key]) -> list[str]:
        """One reading of the rows, for all statistics that can be had from it."""
        body = self._body()
        before, after, steps = [], [], []
        for key in keys:
            statistic = self._statistic(key, body)
            names = self._name(key, statistic)
            before += statistic.start(names)
            steps += statistic.step(names, body.value(key[1], self.full), "column_mask")
            after += statistic.finish(names)
            self._known[key] = names
        return [*before, *self._loop(body, steps), *after]

    def _loop(self, body: "RowBody", last: Sequence[str]) -> list[str]:
        inside = in_order(
            ["column = start + tl.arange(0, BLOCK)[None, :]"], body, [*last, *body.carried],
            [f"column_mask = column < {self.frame.columns}"],
        )  # fmt: skip
        return [*body.carries, f"for start in range(0, {self.frame.columns}, BLOCK):", *indented(inside)]

    def _store(self, body: "RowBody", node: fx.Node) -> str:
        position = self.positions[structure(node)]
        return body.store(node, position, body.value(node, position), frozenset({"row_mask"}))

    def _body(self) -> "RowBody":
        body = RowBody(self._signature, self._region, self)
        body.helpers = self.helpers
        body.made = {node: (self.full, name) for node, name in self.made.items()}
        return body

    def _levels(self) -> dict[Key, int]:
        """Which reading of the rows each statistic comes from, the first being 1."""
        levels: dict[Key, int] = {}
        depth: dict[fx.Node, int] = {}
        for node in self._region.nodes:
            level = max((depth.get(source, 0) for source in node.all_input_nodes), default=0)
            for kind in kinds(node):
                level += 1
                levels.setdefault((kind, source_of(node)), level)
                level = max(level, levels[(kind, source_of(node))])
            depth[node] = level
        return levels

    def _statistic(self, key: Key, body: "RowBody") -> Statistic:
        kind, source = key
        if kind.startswith("first"):
            (extreme,) = self._known[(kind.removeprefix("first_"), source)]
            return First(extreme, self.frame.columns)
        if kind == "product":
            body.helpers.add("kernel_multiply")
        return {
            "total": Total(), "squares": Total(lambda x: f"{x} * {x}"), "sizes": Total(lambda x: f"tl.abs({x})"),
            "product": Product(), "max": Extreme("max"), "min": Extreme("min"), "moments": Moments(self.frame.columns),
            "softmax": Exponentials(), "logsumexp": Exponentials(infinite=True),
        }[kind]  # fmt: skip

    def _name(self, key: Key, statistic: Statistic) -> tuple[str, ...]:
        words = {"extreme": {"max": "largest", "min": "smallest"}.get(key[0], "extreme")}
        return tuple(self._signature.local.give(words.get(each, each)) for each in statistic.results)

    def statistic(self, key: Key, body: "RowBody") -> tuple[str, ...]:
        """The names of a statistic's results; computed on the spot where the whole row is at hand.

        Raises:
            UnsupportedError: It is asked for before its turn.
        """
        if key not in self._known:
            if not self.whole:
                raise UnsupportedError(f"'{key[1].name}' is needed in a pass before it is known")
            if key[0].startswith("first"):
                self.statistic((key[0].removeprefix("first_"), key[1]), body)
            x = body.value(key[1], self.full)
            statistic = self._statistic(key, body)
            names = self._name(key, statistic)
            body.computes += statistic.whole(names, x, "" if self._exact else "column_mask")
            self._known[key] = names
        return self._known[key]

    @property
    def mask(self) -> str:
        """The mask of columns, empty where a row fills its block."""
        return "" if self._exact else "column_mask"


def kinds(node: fx.Node) -> tuple[str, ...]:
    """The statistics that a reduction is made of, in the order in which they need each other."""
    name = operator_name(node)
    if frame_of(node) is None or name in SCANS:
        return ()
    if name in SOFTMAXES:
        return ("softmax",)
    if name in NORMS:
        return ("squares",) if name == "rms_norm" else ("moments",)
    if name == "linalg_vector_norm":
        return ("squares",) if arguments(node)["ord"] == 2 else ("sizes",)
    if is_pair(node):
        return (name, f"first_{name}") if any(each.args[1] == 1 for each in node.users) else (name,)
    if name in GLOBAL_POOLS:
        return ("total",)
    return {
        "amax": ("max",), "amin": ("min",), "argmax": ("max", "first_max"), "argmin": ("min", "first_min"),
        "logsumexp": ("logsumexp",), "mean": ("total",), "prod": ("product",), "sum": ("total",),
        "var": ("moments",), "std": ("moments",),
    }[name]  # fmt: skip


class RowBody(Body):
    """A body that knows reductions."""

    def __init__(self, signature: Signature, region: Region, writer: RowWriter) -> None:
        super().__init__(signature, region)
        self._writer = writer
        self.carries: list[str] = []
        """Lines before a loop, for what cumulative operators carry from block to block."""
        self.carried: list[str] = []
        """Lines at the end of each block for that."""

    def compute(self, node: fx.Node, position: Position) -> str:
        """Compute a node's elements."""
        name = operator_name(node)
        if name != "getitem" and frame_of(node) is None:
            return super().compute(node, position)
        if name in SUMMARIES or name == "getitem":
            if position != self._writer.positions.get(structure(node)):
                raise UnsupportedError(f"'{node.name}' is needed elsewhere than in its row")
            if name == "getitem":
                return self._summary(node, node.all_input_nodes[0], index=bool(node.args[1] == 1))
            return self._summary(node, node, index=name.startswith("arg"))
        if position != self._writer.full:
            raise UnsupportedError(f"'{node.name}' is needed elsewhere than in its row")
        if name in SCANS:
            return self._scan(node, position)
        x = self.value(source_of(node), position)
        return self._softmax(node, x) if name in SOFTMAXES else self._norm(node, x, position)

    def _summary(self, node: fx.Node, reduction: fx.Node, *, index: bool) -> str:
        """One value per row, of a reduction or of one that yields it among others."""
        name, source = operator_name(reduction), source_of(reduction)
        names = self._writer.statistic((kinds(reduction)[1 if index else 0], source), self)
        if index:
            return self.assign(node, f"{names[0]}.to(tl.int64)")
        columns = self._writer.frame.columns
        if name == "mean" or name in GLOBAL_POOLS:
            return self.assign(node, f"{names[0]} / {columns}")
        if name == "linalg_vector_norm" and arguments(reduction)["ord"] == 2:
            return self.assign(node, f"tl.sqrt({names[0]})")
        if name == "logsumexp":
            return self.assign(node, f"{names[0]} + tl.log({names[1]})")
        if name in ("var", "std"):
            given = arguments(node)
            correction = given.get("correction", 1 if given.get("unbiased", True) else 0)
            correction = 1 if correction is None else correction
            scale = literal(columns / (columns - correction))
            return self.assign(node, f"{names[1]} * {scale}" if name == "var" else f"tl.sqrt({names[1]} * {scale})")
        return names[0]

    def _softmax(self, node: fx.Node, x: str) -> str:
        maximum, total = self._writer.statistic(("softmax", source_of(node)), self)
        if "log" in operator_name(node):
            return self.assign(node, f"{x} - {maximum} - tl.log({total})")
        return self.assign(node, f"tl.exp({x} - {maximum}) / {total}")

    def _norm(self, node: fx.Node, x: str, position: Position) -> str:
        given, name = arguments(node), operator_name(node)
        columns = self._writer.frame.columns
        epsilon = literal(float(torch.finfo(torch.float32).eps if given["eps"] is None else given["eps"]))
        if name == "rms_norm":
            (squares,) = self._writer.statistic(("squares", source_of(node)), self)
            text = f"{x} / tl.sqrt({squares} / {columns} + {epsilon})"
        else:
            mean, variance = self._writer.statistic(("moments", source_of(node)), self)
            text = f"({x} - {mean}) / tl.sqrt({variance} + {epsilon})"
        for each, sign in (("weight", "*"), ("bias", "+")):
            if (parameter := given.get(each)) is not None:
                by_channel = name in ("group_norm", "instance_norm")
                place = position[1:2] if by_channel else position[-len(shape(parameter)) :]
                text = f"{text} {sign} {self.value(parameter, place)}"
        return self.assign(node, text)

    def _scan(self, node: fx.Node, position: Position) -> str:
        """A cumulative sum or product, which goes on from block to block; in double, for rounding errors pile up."""
        name, x = operator_name(node), self.value(source_of(node), position)
        neutral, sign = ("0.0", "+") if name == "cumsum" else ("1.0", "*")
        inside = f"tl.where({self._writer.mask}, {x}, {neutral})" if self._writer.mask else x
        scan = f"tl.{name}({inside}.to(tl.float64), axis=1)"
        if self._writer.whole:
            return self.assign(node, f"{scan}.to(tl.float32)")
        carry = self.signature.local.give("carry")
        scanned = self.assign(node, f"{carry} {sign} {scan}")
        self.carries.append(f"{carry} = tl.full([ROWS, 1], {neutral}, tl.float64)")
        last = f"tl.where(column == start + BLOCK - 1, {scanned}, 0.0)"
        self.carried.append(f"{carry} = tl.sum({last}, axis=1, keep_dims=True)")
        return self.assign(node, f"{scanned}.to(tl.float32)")
