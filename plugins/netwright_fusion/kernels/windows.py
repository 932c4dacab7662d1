"""Windows that slide over each channel by itself: pooling and depthwise convolutions, and what is around them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import fx

from netwright_fusion.graph import arguments, dtype, is_tensor, shape, static_tail
from netwright_fusion.kernels.body import MOVES, Body, is_elementwise, load_text
from netwright_fusion.kernels.convolution import NAMES, per_dimension
from netwright_fusion.kernels.index import Axis, Index, Position, offset, split
from netwright_fusion.kernels.operators import operator_name, source_of
from netwright_fusion.kernels.pointwise import in_memory_order, without_outer_views
from netwright_fusion.kernels.products import is_plain_product
from netwright_fusion.kernels.region import Order, Region, grow
from netwright_fusion.kernels.signature import FLOATS, Signature, structure
from netwright_fusion.kernels.source import KernelText, describe, indented, kernel_call, name_of
from netwright_fusion.kernels.template import INTERPRETED, Config, KernelCall, KernelSite, KernelTemplate

LARGEST = 32
"""Nodes in one kernel at most."""
MOST_TAPS = 512
"""Elements of a window at most: larger ones are reductions, not windows."""


@dataclass(frozen=True)
class Window:
    """What slides: its taps, and how they are placed."""

    taps: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def count(self) -> int:
        """Elements of a window."""
        count = 1
        for taps in self.taps:
            count *= taps
        return count


class Windows(KernelTemplate):
    """Max and average pooling and depthwise convolution, in one to three dimensions."""

    name = "windows"
    reason = "what comes before and after is done on the way, so that the larger tensor is read once and never stored"

    def sites(self, graph: fx.GraphModule) -> Iterator[KernelSite]:
        """Each window with the pointwise operators before and after it."""
        order = Order(graph.graph)
        taken: set[fx.Node] = set()
        for node in list(graph.graph.nodes):
            if node in taken or not node.users or window_of(node) is None:
                continue
            region = without_outer_views(order, grow(order, order.region([node]), _Around(node, taken)))
            if len(region.nodes) > 1:
                taken |= region.members
                yield KernelSite(f"{describe(region)} at '{node.name}'", region, node)

    def configs(self, site: KernelSite) -> tuple[Config, ...]:  # noqa: ARG002
        """Output elements per program, and warps."""
        return ({"BLOCK": 256, "num_warps": 4}, {"BLOCK": 512, "num_warps": 4}, {"BLOCK": 128, "num_warps": 2})

    def interpreted(self, site: KernelSite) -> Config:  # noqa: ARG002
        """Many elements per program."""
        return {"BLOCK": INTERPRETED}

    def build(self, site: KernelSite, config: Config | None = None, name: str | None = None) -> KernelCall:
        """One program per block of the output's memory; a loop over the window's taps."""
        config = config or self.configs(site)[0]
        node, window = site.core, window_of(site.core)
        assert window is not None
        name = name or name_of(site.region)
        signature = Signature()
        position = in_memory_order(signature, node)
        body = Body(signature, site.region)
        result = signature.local.give(operator_name(node))
        loop = self._loop(node, window, signature, site.region, position, result)
        body.made[node] = (position, result)
        body.helpers |= loop.helpers
        stores = [body.store(each, position, body.value(each, position)) for each in site.region.outputs]
        first = signature.outputs[site.region.outputs[0]].name
        text = KernelText(
            name=name,
            summary=f"Computes {describe(site.region)}: each program BLOCK elements of the output.",
            signature=signature,
            grid=(f"triton.cdiv({first}.numel(), {config['BLOCK']})",),
            lines=[
                "program = tl.program_id(0).to(tl.int64 if WIDE else tl.int32)",
                "offsets = program * BLOCK + tl.arange(0, BLOCK)",
                *body.offsets, "mask = offsets < elements", *body.masks,
                *loop.lines, *body.loads, *body.computes, *stores,
            ],
            helpers=body.helpers,
            sizes={"elements": f"{first}.numel()"},
            constants=config,
        )  # fmt: skip
        return kernel_call(text, site.region, self.name, config)

    def _loop(
        self, node: fx.Node, window: Window, signature: Signature, region: Region, position: Position, result: str
    ) -> "_Loop":
        """The lines that leave the window's result in `result`."""
        source = source_of(node)
        inner = Body(signature, region)
        before, inside, places, within = [], [], [], []
        taps = split(Index("tap"), window.taps)
        for number, name in enumerate(NAMES[len(window.taps)]):
            axis, size = position[2 + number], int(shape(source)[2 + number])
            first = axis.index.times(window.stride[number]).minus(window.padding[number])
            before.append(f"first_{name} = {first.text}")
            step = taps[number].index.times(window.dilation[number])
            inside.append(f"at_{name} = first_{name}" + ("" if step.zero else f" + {step.text}"))
            inside.append(f"inside_{name} = (at_{name} >= 0) & (at_{name} < {size})")
            within.append(f"inside_{name}")
            places.append(Axis(size, Index(f"at_{name}", frozenset({f"inside_{name}", "mask"}))))
        kind = operator_name(node)
        channel = position[1]
        if kind.startswith("conv"):
            channel = _input_channel(node, channel)
        value = inner.value(source, (position[0], channel, *places))
        seen = " & ".join(within)
        start, update, after = self._reduction(node, window, signature, position, value, seen, result)
        lines = [
            *before, *start, f"for tap in range(0, {window.count}):",
            *indented([*inside, *inner.offsets, *inner.masks, *inner.loads, *inner.computes, *update]), *after,
        ]  # fmt: skip
        return _Loop(lines, inner.helpers)

    def _reduction(
        self,
        node: fx.Node,
        window: Window,
        signature: Signature,
        position: Position,
        value: str,
        seen: str,
        result: str,
    ) -> tuple[list[str], list[str], list[str]]:
        """Lines before the loop, at its end, and after it."""
        kind, given = operator_name(node), arguments(node)
        if kind.startswith("max_pool"):
            better = f"(({value} > {result}) | ({value} != {value})) & {seen}"
            start = [f'{result} = tl.full([BLOCK], float("-inf"), tl.float32)']
            return start, [f"{result} = tl.where({better}, {value}, {result})"], []
        zeros = [f"{result} = tl.zeros([BLOCK], tl.float32)"]
        if kind.startswith("conv"):
            weight = signature.input(given["weight"])
            place = (position[1], Axis(1, Index("0")), *split(Index("tap"), window.taps))
            where = offset(place, weight.strides)
            update = [f"weight = {load_text(weight, where)}", f"{result} += tl.where({seen}, {value} * weight, 0.0)"]
            after = []
            if isinstance(given["bias"], fx.Node):
                bias = signature.input(given["bias"])
                after.append(f"{result} += {load_text(bias, offset((position[1],), bias.strides))}")
            return zeros, update, after
        update = [f"{result} += tl.where({seen}, {value}, 0.0)"]
        if given.get("divisor_override") or given["count_include_pad"] or not any(window.padding):
            divisor = given.get("divisor_override") or window.count
            return zeros, update, [f"{result} = {result} / {divisor}"]
        counting = f"{result}_count"
        zeros.append(f"{counting} = tl.zeros([BLOCK], tl.float32)")
        return zeros, [*update, f"{counting} += tl.where({seen}, 1.0, 0.0)"], [f"{result} = {result} / {counting}"]


@dataclass(frozen=True)
class _Loop:
    lines: list[str]
    helpers: set[str]


class _Around:
    """Pointwise operators after a window, of its shape, and before it, where nothing else needs them."""

    def __init__(self, node: fx.Node, taken: set[fx.Node]) -> None:
        self._node = node
        self._shape = structure(node)
        self._taken = taken | (set(node.all_input_nodes) - {source_of(node)})
        self._before = {source_of(node)}

    def __call__(self, region: Region) -> Iterable[fx.Node]:
        if len(region.nodes) >= LARGEST:
            return
        for node in reversed(region.inputs):
            if node in self._taken or not is_tensor(node) or not is_elementwise(node):
                continue
            if region.members.issuperset(node.users) and operator_name(node) not in MOVES:
                yield node
        for user in [user for node in self._reached(region) for user in node.users]:
            free = user not in region.members and user not in self._taken and is_tensor(user)
            if free and is_elementwise(user) and structure(user) == self._shape and operator_name(user) not in MOVES:
                yield user

    def _reached(self, region: Region) -> Sequence[fx.Node]:
        """The window and what follows from it."""
        reached = {self._node}
        for node in region.nodes:
            if reached.intersection(node.all_input_nodes):
                reached.add(node)
        return [node for node in region.nodes if node in reached]


def window_of(node: fx.Node) -> Window | None:
    """The window of a node that slides one, as far as kernels know it."""
    name = operator_name(node)
    kinds = ("max_pool", "avg_pool", "conv")
    if name not in {f"{kind}{dims}d" for kind in kinds for dims in (1, 2, 3)} or not is_tensor(node):
        return None
    dims, given, source = int(name[-2]), arguments(node), source_of(node)
    if dtype(source) not in FLOATS or static_tail(source) is None or static_tail(node) is None:
        return None
    if len(shape(node)) != dims + 2:
        return None
    if name.startswith("conv"):
        taps: Any = shape(given["weight"])[2:]
        depthwise = given["groups"] == shape(source)[1] and given["groups"] > 1
        plain = is_plain_product(node, source, given["weight"], given["bias"])
        if not depthwise or not plain or isinstance(given["padding"], str):
            return None
    else:
        taps = per_dimension(given["kernel_size"], dims)
        if name.startswith("avg_pool") and given["ceil_mode"]:
            return None
    stride = given["stride"] if given["stride"] not in ([], None) else taps
    window = Window(
        tuple(int(each) for each in taps),
        *(tuple(per_dimension(each, dims)) for each in (stride, given["padding"], given.get("dilation", 1))),
    )
    single = all(size == 1 for size in structure(node))
    return window if window.count <= MOST_TAPS and not single else None


def _input_channel(node: fx.Node, channel: Axis) -> Axis:
    """The input channel that a depthwise convolution's output channel sees."""
    inputs = int(shape(source_of(node))[1])
    each = int(shape(node)[1]) // inputs
    return channel if each == 1 else Axis(inputs, channel.index.over(each))
