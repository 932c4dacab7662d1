"""Cross-entropy, of logits and of the linear layer that makes them: the softmax over classes is never stored."""

from collections.abc import Iterable, Iterator

from torch import fx

from netwright_fusion.graph import arguments, dtype, is_tensor, only_user, shape
from netwright_fusion.kernels.body import MOVES, Body, is_elementwise, load_text
from netwright_fusion.kernels.frame import Frame
from netwright_fusion.kernels.index import offset
from netwright_fusion.kernels.matmul import Matmul
from netwright_fusion.kernels.operators import operator_name
from netwright_fusion.kernels.region import Order, Region, grow
from netwright_fusion.kernels.rows import LONGEST_AT_ONCE, power_of_two
from netwright_fusion.kernels.signature import FLOATS, Operand, Signature, structure
from netwright_fusion.kernels.source import KernelText, describe, indented, kernel_call, name_of
from netwright_fusion.kernels.statistics import Exponentials, Statistic, Total
from netwright_fusion.kernels.template import INTERPRETED, Config, KernelCall, KernelSite, KernelTemplate

MEAN, SUM = 1, 2
"""Reductions, as ATen counts them; 0 is none."""


class CrossEntropy(KernelTemplate):
    """`cross_entropy` of logits with class indices as targets."""

    name = "cross_entropy"
    reason = "the logits are read once, and neither their softmax nor its logarithm is stored"

    def sites(self, graph: fx.GraphModule) -> Iterator[KernelSite]:
        """Each loss, with the pointwise operators that make its logits."""
        order = Order(graph.graph)
        for node in list(graph.graph.nodes):
            if node.users and is_cross_entropy(node):
                region = grow(order, order.region([node]), _logits_makers)
                yield KernelSite(f"{describe(region)} at '{node.name}'", region, node)

    def configs(self, site: KernelSite) -> tuple[Config, ...]:
        """Rows per program, classes at a time, and warps."""
        classes = power_of_two(_frame(site.core).columns)
        found: list[Config] = []
        for least, most in ((2048, 4096), (1024, LONGEST_AT_ONCE), (1024, 2048)):
            block = min(classes, most)
            rows = max(1, least // block)
            config = {"ROWS": rows, "BLOCK": block, "num_warps": min(16, max(1, rows * block // 512))}
            if config not in found:
                found.append(config)
        return tuple(found)

    def interpreted(self, site: KernelSite) -> Config:
        """Many samples per program."""
        return {"ROWS": max(1, INTERPRETED // self.configs(site)[0]["BLOCK"])}

    def build(self, site: KernelSite, config: Config | None = None, name: str | None = None) -> KernelCall:
        """One program per `ROWS` samples; classes in blocks."""
        config = config or self.configs(site)[0]
        node, frame = site.core, _frame(site.core)
        given = arguments(node)
        name = name or name_of(site.region)
        signature = Signature()
        exact = frame.columns % config["BLOCK"] == 0
        full = frame.full(signature, range(len(frame.shape)), exact=exact)
        place = frame.row_positions(full)[frame.squeezed]
        body = Body(signature, site.region)
        logits = body.value(given["self"], full)
        target = signature.input(given["target"])
        rows = frame.rows(signature.size)
        losses = Operand(node, "losses", (rows,), (1,), _rows_like(given["target"], str(rows), signature))
        signature.outputs[node] = losses
        smoothing = float(given["label_smoothing"])
        mask = "" if exact else "column_mask"
        parts: list[tuple[Statistic, tuple[str, ...], str]] = [
            (Exponentials(infinite=True), ("maximum", "total"), mask),
            (Total(lambda x: f"tl.where(column == target, {x}, 0.0)"), ("picked",), mask),
            *([(Total(), ("sum_of_logits",), mask)] if smoothing else []),
        ]
        before = [line for statistic, names, _ in parts for line in statistic.start(names)]
        steps = [line for statistic, names, mask in parts for line in statistic.step(names, logits, mask)]
        after = [line for statistic, names, _ in parts for line in statistic.finish(names)]
        lines = [
            "program = tl.program_id(0).to(tl.int64 if WIDE else tl.int32)",
            "row = program * ROWS + tl.arange(0, ROWS)[:, None]",
            "row_mask = row < rows",
            f"target = {load_text(target, offset(place, target.strides))}",
            *before,
            f"for start in range(0, {frame.columns}, BLOCK):",
            *indented([
                "column = start + tl.arange(0, BLOCK)[None, :]", *body.offsets,
                *([] if exact else [f"column_mask = column < {frame.columns}"]),
                *body.masks, *body.loads, *body.computes, *steps,
            ]),
            *after,
            *_loss_lines("maximum + tl.log(total)", "picked", smoothing, frame.columns),
            f"loss = tl.where(target == {given['ignore_index']}, 0.0, loss)",
            "tl.store(losses_pointer + row, loss, mask=row_mask)",
        ]  # fmt: skip
        text = KernelText(
            name=name,
            summary=f"Computes {describe(site.region)}: each program ROWS samples of {frame.columns} classes.",
            signature=signature,
            grid=(f"triton.cdiv({rows}, {config['ROWS']})",),
            lines=lines,
            helpers=body.helpers,
            sizes={"rows": str(rows)},
            constants=config,
            result=_reduced(node, target.name, "losses"),
        )
        return kernel_call(text, site.region, self.name, config)


class LinearCrossEntropy(KernelTemplate):
    """`cross_entropy` of what a linear layer makes, tile by tile: the logits are never stored.

    Args:
        everywhere: Also where PyTorch's product is likely faster.
    """

    name = "linear_cross_entropy"
    reason = "the logits, often the largest tensor of a language model, are never stored"

    def __init__(self, *, everywhere: bool = False) -> None:
        self._everywhere = everywhere
        self._matmul = Matmul()

    def sites(self, graph: fx.GraphModule) -> Iterator[KernelSite]:
        """Losses whose logits come from a linear layer and go nowhere else."""
        order = Order(graph.graph)
        for node in list(graph.graph.nodes):
            if not node.users or not is_cross_entropy(node) or len(_frame(node).shape) != 2:
                continue
            if arguments(node)["label_smoothing"]:  # needs all logits of a sample
                continue
            nodes = _from_linear(node)
            if not nodes or all(size == 1 for size in self._matmul.frame(nodes[0]).squeezed):
                continue
            if self._everywhere or self._matmul.worthwhile(nodes[0]):
                region = order.region([*nodes, node])
                if order.placeable(region):
                    yield KernelSite(f"{describe(region)} at '{node.name}'", region, node)

    def configs(self, site: KernelSite) -> tuple[Config, ...]:
        """A tile's rows, classes and depth."""
        linear = _from_linear(site.core)[0]
        narrow = dtype(linear).itemsize < 4
        depth = max(16, min(power_of_two(self._matmul.depth(linear)), 64 if narrow else 32))
        tiles = ((64, 128, 4, 3), (128, 128, 8, 3), (64, 64, 4, 3), (128, 256, 8, 3))
        return tuple(
            {"ROWS": rows, "COLUMNS": columns, "DEPTH": depth, "num_warps": warps, "num_stages": stages}
            for rows, columns, warps, stages in tiles
        )

    def interpreted(self, site: KernelSite) -> Config:
        """Many samples per program, and few steps."""
        return {"ROWS": 256, "DEPTH": min(power_of_two(self._matmul.depth(_from_linear(site.core)[0])), 256)}

    def build(self, site: KernelSite, config: Config | None = None, name: str | None = None) -> KernelCall:
        """One program per tile of samples and classes leaves its part of the sum; the wrapper adds the parts."""
        config = config or self.configs(site)[0]
        node = site.core
        linear = _from_linear(node)[0]
        given = arguments(node)
        name = name or name_of(site.region)
        signature = Signature()
        frame = self._matmul.frame(linear)
        exact = frame.columns % config["COLUMNS"] == 0
        full = self._matmul.position(linear, signature, frame, exact=exact)
        core = self._matmul.core(linear, signature, full, "total", config)
        target = signature.input(given["target"])
        rows, tiles = frame.rows(signature.size), -(-frame.columns // config["COLUMNS"])
        allocate = _parts_like(given["target"], tiles, str(rows), signature)
        parts = Operand(node, "parts", (2, tiles, rows), (1, 1, 1), allocate)
        signature.outputs[node] = parts
        mask = "" if exact else "column_mask"
        lines = [
            "program = tl.program_id(0).to(tl.int64 if WIDE else tl.int32)",
            f"tile_row = program // {tiles}",
            f"tile_column = program % {tiles}",
            "row = tile_row * ROWS + tl.arange(0, ROWS)[:, None]",
            "column = tile_column * COLUMNS + tl.arange(0, COLUMNS)[None, :]",
            "row_mask = row < rows",
            *([] if exact else [f"column_mask = column < {frame.columns}"]),
            *core,
            "target = tl.load(target_pointer + row, mask=row_mask, other=0)".replace(
                "target_pointer", f"{target.name}_pointer"
            ),
            *Exponentials(infinite=True).whole(("maximum", "sum_of_tile"), "total", mask),
            *Total(lambda x: f"tl.where(column == target, {x}, 0.0)").whole(("picked",), "total", mask),
            "tl.store(parts_pointer + tile_column * rows + row, maximum + tl.log(sum_of_tile), mask=row_mask)",
            f"tl.store(parts_pointer + ({tiles} + tile_column) * rows + row, picked, mask=row_mask)",
        ]
        flat = f"{target.name}.reshape(-1)"
        text = KernelText(
            name=name,
            summary=f"Computes {describe(site.region)}: each program a tile of ROWS samples and COLUMNS classes.",
            signature=signature,
            grid=(f"triton.cdiv({rows}, {config['ROWS']}) * {tiles}",),
            lines=lines,
            sizes={"rows": str(rows)},
            constants=config,
            after=(
                "losses = torch.logsumexp(parts[0], 0) - parts[1].sum(0)",
                f"losses = losses.masked_fill({flat} == {given['ignore_index']}, 0.0)",
            ),
            result=_reduced(node, target.name, "losses"),
        )
        return kernel_call(text, site.region, self.name, config)


def is_cross_entropy(node: fx.Node) -> bool:
    """Whether a node is a cross-entropy of class indices, all classes of equal weight."""
    if operator_name(node) != "cross_entropy_loss":
        return False
    given = arguments(node)
    logits = given["self"]
    plain = given["weight"] is None and is_tensor(logits) and dtype(logits) in FLOATS and len(shape(logits)) >= 2
    indices = is_tensor(given["target"]) and not dtype(given["target"]).is_floating_point
    return plain and indices and isinstance(shape(logits)[1], int) and int(shape(logits)[1]) > 1


def _frame(node: fx.Node) -> Frame:
    logits = arguments(node)["self"]
    return Frame(structure(logits), (1,), 1, shape(logits))


def _logits_makers(region: Region) -> Iterable[fx.Node]:
    for node in reversed(region.inputs):
        free = region.members.issuperset(node.users) and is_tensor(node)
        if free and is_elementwise(node) and operator_name(node) not in MOVES and dtype(node) in FLOATS:
            yield node


def _from_linear(node: fx.Node) -> list[fx.Node]:
    """The linear layer that makes a loss's logits, and a flattening between them; nothing where it is otherwise."""
    logits = arguments(node)["self"]
    nodes = [logits]
    if operator_name(logits) in ("view", "reshape", "flatten", "_unsafe_view") and len(logits.all_input_nodes) == 1:
        nodes = [arguments(logits)["self"], logits]
    first = nodes[0]
    matches = operator_name(first) == "linear" and Matmul().matches(first) and shape(first)[-1] == shape(logits)[-1]
    return nodes if matches and all(only_user(each) is not None for each in nodes) else []


def _loss_lines(logarithm: str, picked: str, smoothing: float, classes: int) -> list[str]:
    if not smoothing:
        return [f"loss = {logarithm} - {picked}"]
    spread = f"{smoothing!r} * ({logarithm} - sum_of_logits / {classes})"
    return [f"loss = {1 - smoothing!r} * ({logarithm} - {picked}) + {spread}"]


def _reduced(node: fx.Node, target: str, losses: str) -> str:
    """What the wrapper returns, of the loss of each sample."""
    given, kind = arguments(node), dtype(node)
    cast = "" if str(kind) == "torch.float32" else f".to({kind})"
    if given["reduction"] == MEAN:
        return f"({losses}.sum() / ({target} != {given['ignore_index']}).sum()){cast}"
    return f"{losses}.sum(){cast}" if given["reduction"] == SUM else f"{losses}.view({target}.shape){cast}"


def _rows_like(target: fx.Node, rows: str, signature: Signature) -> str:
    return f"torch.empty(({rows},), dtype=torch.float32, device={signature.input(target).name}.device)"


def _parts_like(target: fx.Node, tiles: int, rows: str, signature: Signature) -> str:
    return f"torch.empty((2, {tiles}, {rows}), dtype=torch.float32, device={signature.input(target).name}.device)"
