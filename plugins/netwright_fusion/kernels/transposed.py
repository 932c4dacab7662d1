"""Strided transposed convolutions by phases: outputs of one remainder see the same taps; no zero is multiplied."""

from torch import fx

from netwright_fusion.graph import arguments, shape, static_tail
from netwright_fusion.kernels.convolution import NAMES, per_dimension
from netwright_fusion.kernels.frame import Frame
from netwright_fusion.kernels.index import Axis, Index, Position, Size, offset, product, split
from netwright_fusion.kernels.operators import operator_name
from netwright_fusion.kernels.products import ProductTemplate, Step, across, along, column_axis, is_plain_product
from netwright_fusion.kernels.signature import Signature, structure

FEW_CHANNELS = 64
"""Input channels up to which the library's kernel, which scatters, leaves room."""


class TransposedConvolution(ProductTemplate):
    """`conv_transpose1d` to `3d` without groups and dilation: rows are the output places of one phase."""

    name = "transposed"
    reason = "each phase of the output is a small dense convolution, gathered instead of scattered"

    def matches(self, node: fx.Node) -> bool:
        """Transposed convolutions of places that are known."""
        if operator_name(node) not in ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"):
            return False
        given = arguments(node)
        plain = is_plain_product(node, given["input"], given["weight"], given["bias"])
        known = static_tail(node) is not None and static_tail(given["input"]) is not None
        dims = len(shape(given["weight"])) - 2
        dense = all(each == 1 for each in per_dimension(given["dilation"], dims))
        return plain and known and dense and given["groups"] == 1 and len(shape(node)) == dims + 2

    def worthwhile(self, node: fx.Node) -> bool:
        """With few channels and a stride."""
        return int(shape(arguments(node)["weight"])[0]) <= FEW_CHANNELS and self._phases(node) > 1

    def stands_alone(self, node: fx.Node) -> bool:
        """With a stride: the phases are the gain."""
        return self._phases(node) > 1

    def frame(self, node: fx.Node) -> Frame:
        """Output places are rows, channels are columns."""
        return Frame(structure(node), (1,), 1, shape(node))

    def depth(self, node: fx.Node) -> int:
        """Input channels times the taps of a phase."""
        depth = int(shape(arguments(node)["weight"])[0])
        for taps in self._taps(node):
            depth *= taps
        return depth

    def position(self, node: fx.Node, signature: Signature, frame: Frame, *, exact: bool) -> Position:
        """The places of a phase lie a stride apart."""
        places = self._places(node)
        batch, *_ = split(self._row(), [signature.size(shape(node)[0]), *places])
        spatial = []
        for name, size, stride in self._spatial(node):
            beyond = {f"inside_{name}"} if size % stride else set()
            spatial.append(Axis(size, Index(f"at_{name}", frozenset({"row_mask"} | beyond))))
        return (batch, column_axis(frame, exact=exact), *spatial)

    def rows(self, node: fx.Node, frame: Frame, signature: Signature) -> Size:  # noqa: ARG002
        """Output places of a phase."""
        return product([signature.size(shape(node)[0]), *self._places(node)])

    def layers(self, node: fx.Node, signature: Signature) -> Size:  # noqa: ARG002
        """One layer of programs per phase."""
        return self._phases(node)

    def offsets(self, node: fx.Node, signature: Signature) -> list[str]:
        """Which phase this is, and where its places lie."""
        strides, places = self._strides(node), self._places(node)
        names = NAMES[len(places)]
        axes = split(self._row(), [signature.size(shape(node)[0]), *places])[1:]
        phases = split(Index("layer"), strides)
        lines = []
        for name, axis, phase, stride in zip(names, axes, phases, strides, strict=True):
            lines.append(f"phase_{name} = {phase.index.text}")
            lines.append(f"step_{name} = {axis.index.text}")
            lines.append(f"at_{name} = phase_{name} + {Index(f'step_{name}').times(stride).text}")
        return lines

    def masks(self, node: fx.Node) -> list[str]:
        """Places of a phase that the output has no more."""
        return [f"inside_{name} = at_{name} < {size}" for name, size, stride in self._spatial(node) if size % stride]

    def step(self, node: fx.Node, signature: Signature, full: Position, *, masked: bool) -> Step:
        """The input places that a phase's taps see; of the weight only those taps."""
        given = arguments(node)
        source, weight = signature.input(given["input"]), signature.input(given["weight"])
        channels, _, *kernel = (int(size) for size in shape(given["weight"]))
        strides, taps = self._strides(node), self._taps(node)
        paddings = per_dimension(given["padding"], len(taps))
        counted = split(Index("depth"), [channels, *taps])
        masks = ["depth_mask"] if masked else []
        before, inside = [], [f"channel = {counted[0].index.text}"]
        inputs, outputs = [], []
        for number, name in enumerate(NAMES[len(taps)]):
            stride, padding, size = strides[number], paddings[number], int(shape(given["input"])[2 + number])
            shifted = f"(phase_{name} + {padding})" if padding else f"phase_{name}"
            before += [f"tap_{name} = {shifted} % {stride}", f"last_{name} = {shifted} // {stride} + step_{name}"]
            back = counted[1 + number].index
            inside.append(f"back_{name} = {'depth * 0' if back.zero else back.text}")
            inside.append(f"from_{name} = last_{name} - back_{name}[None, :]")
            inside.append(f"weight_{name} = tap_{name} + {Index(f'back_{name}').times(stride).text}")
            inside.append(f"seen_{name} = (from_{name} >= 0) & (from_{name} < {size})")
            known = []
            if kernel[number] % stride:
                inside.append(f"known_{name} = weight_{name} < {kernel[number]}")
                known = [f"known_{name}"]
            tap_masks = frozenset(across("", *known).masks)
            inputs.append(Axis(size, Index(f"from_{name}", frozenset({f"seen_{name}", "row_mask"}) | tap_masks)))
            outputs.append(Axis(kernel[number], along(f"weight_{name}", *known, *masks)))
        left = (full[0], Axis(channels, across("channel", *masks)), *inputs)
        right = (Axis(channels, along("channel", *masks)), full[1], *outputs)
        return Step(
            (source, offset(left, source.strides)),
            (weight, offset(right, weight.strides)),
            tuple(before),
            tuple(inside),
        )

    def _spatial(self, node: fx.Node) -> list[tuple[str, int, int]]:
        """Name, size and stride of each spatial dimension of the output."""
        sizes = [int(size) for size in shape(node)[2:]]
        return list(zip(NAMES[len(sizes)], sizes, self._strides(node), strict=True))

    def _row(self) -> Index:
        return Index("row", frozenset({"row_mask"}))

    def _strides(self, node: fx.Node) -> list[int]:
        return per_dimension(arguments(node)["stride"], len(shape(node)) - 2)

    def _taps(self, node: fx.Node) -> list[int]:
        """Taps per phase, by dimension."""
        kernel = shape(arguments(node)["weight"])[2:]
        return [-(-int(size) // stride) for size, stride in zip(kernel, self._strides(node), strict=True)]

    def _places(self, node: fx.Node) -> list[int]:
        """Output places per phase, by dimension."""
        return [-(-int(size) // stride) for size, stride in zip(shape(node)[2:], self._strides(node), strict=True)]

    def _phases(self, node: fx.Node) -> int:
        phases = 1
        for stride in self._strides(node):
            phases *= stride
        return phases
