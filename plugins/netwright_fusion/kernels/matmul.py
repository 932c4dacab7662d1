"""Matrix products and linear layers with what is done with their result: bias, activation, residual, row reduction."""

from torch import fx

from netwright_fusion.graph import arguments, is_tensor, shape, static_tail
from netwright_fusion.kernels.frame import Frame
from netwright_fusion.kernels.index import Axis, Index, Position, Size, offset, product, split
from netwright_fusion.kernels.operators import operator_name
from netwright_fusion.kernels.products import (
    ProductTemplate,
    Step,
    across,
    along,
    column_axis,
    is_narrow,
    is_plain_product,
)
from netwright_fusion.kernels.signature import Signature, structure

SHALLOW = 64
"""Depth up to which a product in float32 costs less than loading its operands, whoever computes it."""


class Matmul(ProductTemplate):
    """`linear` and `matmul`, batched or not."""

    name = "matmul"
    reason = "the product's result is used while it is in registers, and never stored"

    def matches(self, node: fx.Node) -> bool:
        """Products of one floating-point type with a depth and a width that are known."""
        if operator_name(node) == "linear":
            given = arguments(node)
            known = static_tail(given["weight"]) is not None and isinstance(shape(node)[-1], int)
            return (
                known
                and len(shape(node)) > 1
                and is_plain_product(node, given["input"], given["weight"], given["bias"])
            )
        if operator_name(node) not in ("matmul", "mm", "bmm"):
            return False
        left, right = _operands(node)
        if len(shape(left)) < 2 or len(shape(right)) < 2 or not is_plain_product(node, left, right):
            return False
        known = isinstance(shape(left)[-1], int) and isinstance(shape(node)[-1], int)
        return known and (len(shape(right)) == 2 or structure(left)[:-2] == structure(right)[:-2])

    def worthwhile(self, node: fx.Node) -> bool:
        """Tensor cores are as fast here; in float32 only products that wait for memory are."""
        return is_narrow(node) or self.depth(node) <= SHALLOW

    def frame(self, node: fx.Node) -> Frame:
        """All dimensions but the last tell rows apart."""
        rank = len(shape(node))
        return Frame(structure(node), (rank - 1,), 1, shape(node))

    def depth(self, node: fx.Node) -> int:
        """The operands' common dimension."""
        return int(shape(_operands(node)[0])[-1])

    def position(self, node: fx.Node, signature: Signature, frame: Frame, *, exact: bool) -> Position:
        """Batches are counted by a dimension of the grid of their own."""
        if not _is_batched(node):
            return super().position(node, signature, frame, exact=exact)
        sizes = signature.sizes(node)
        row = Axis(sizes[-2], Index("row", frozenset({"row_mask"})))
        return (*split(Index("layer"), sizes[:-2]), row, column_axis(frame, exact=exact))

    def rows(self, node: fx.Node, frame: Frame, signature: Signature) -> Size:
        """Of one batch."""
        return signature.size(shape(node)[-2]) if _is_batched(node) else frame.rows(signature.size)

    def layers(self, node: fx.Node, signature: Signature) -> Size:
        """Batches whose right operands differ."""
        return product(signature.sizes(node)[:-2]) if _is_batched(node) else 1

    def step(self, node: fx.Node, signature: Signature, full: Position, *, masked: bool) -> Step:
        """Rows of the left operand, columns of the right one; a linear layer's weight is stored the other way round."""
        left, right = (signature.input(each) for each in _operands(node))
        masks = ("depth_mask",) if masked else ()
        left_depth, right_depth = (Axis(self.depth(node), index("depth", *masks)) for index in (across, along))
        if operator_name(node) == "linear":
            position: Position = (full[-1], right_depth)
        else:
            position = (*(full[:-2] if _is_batched(node) else ()), right_depth, full[-1])
        return Step(
            (left, offset((*full[:-1], left_depth), left.strides)),
            (right, offset(position, right.strides)),
        )

    def bias(self, node: fx.Node) -> fx.Node | None:
        """A linear layer's."""
        bias = arguments(node)["bias"] if operator_name(node) == "linear" else None
        return bias if isinstance(bias, fx.Node) else None


def _operands(node: fx.Node) -> tuple[fx.Node, fx.Node]:
    given = arguments(node)
    if operator_name(node) == "linear":
        return given["input"], given["weight"]
    return given["self"], given["other"] if is_tensor(given.get("other")) else given["mat2"]


def _is_batched(node: fx.Node) -> bool:
    """Whether the right operand differs from batch to batch."""
    return operator_name(node) != "linear" and len(shape(_operands(node)[1])) > 2
