"""Rows and columns: how a tensor's dimensions fall into those that a reduction keeps and those that it runs over."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import fx

from netwright_fusion.graph import arguments, dtype, is_tensor, shape, size_hint
from netwright_fusion.kernels.index import STILL, Axis, Index, Position, Size, join, product, split
from netwright_fusion.kernels.operators import operator_name, source_of
from netwright_fusion.kernels.signature import FLOATS, Signature, memory_order, structure

SCANS = frozenset({"cumsum", "cumprod"})
SOFTMAXES = frozenset({"softmax", "log_softmax", "_softmax", "_log_softmax"})
NORMS = frozenset({"layer_norm", "rms_norm", "group_norm", "instance_norm"})
WHOLE = SCANS | SOFTMAXES | NORMS
"""Reductions whose result has the shape of their input."""
PAIRS = frozenset({"max", "min"})
"""Reductions that give values and indices."""
GLOBAL_POOLS = {f"adaptive_avg_pool{dims}d": dims for dims in (1, 2, 3)}
"""Means over so many last dimensions, where one place is asked for."""
SUMMARIES = (
    PAIRS
    | frozenset(GLOBAL_POOLS)
    | frozenset(
        ["amax", "amin", "argmax", "argmin", "linalg_vector_norm", "logsumexp", "mean", "prod", "std", "sum", "var"]
    )
)
"""Reductions whose result lacks the dimensions that they run over, or has 1 there."""


@dataclass(frozen=True)
class Frame:
    """A shape and the dimensions of it that are reduced; `groups` where the second one is reduced in groups."""

    shape: tuple[int | str, ...]
    """As of `structure`."""
    reduced: tuple[int, ...]
    groups: int = 1
    sizes: tuple[Any, ...] = field(default=(), compare=False)
    """The same sizes as the graph has them."""

    @property
    def columns(self) -> int:
        """Elements per row."""
        count = 1
        for dim in self.reduced:
            count *= int(self.sizes[dim])
        return count // self.groups if self.groups > 1 else count

    @property
    def kept(self) -> tuple[int, ...]:
        """The dimensions that tell rows apart."""
        return tuple(dim for dim in range(len(self.shape)) if dim not in self.reduced)

    @property
    def keepdim(self) -> tuple[Any, ...]:
        """The shape of one value per row, all dimensions kept."""
        return tuple(1 if dim in self.reduced else size for dim, size in enumerate(self.shape))

    @property
    def squeezed(self) -> tuple[Any, ...]:
        """The shape of one value per row."""
        return tuple(self.shape[dim] for dim in self.kept)

    @property
    def most_rows(self) -> int:
        """A power of two, not less than the number of rows; more than any block has where that is not known."""
        count = self.groups
        for dim in self.kept:
            size = self.shape[dim]
            count *= size if isinstance(size, int) else 1 << 20
        return 1 << max(0, count - 1).bit_length()

    def rows(self, size: Any) -> Size:
        """How many rows there are, as text of the kernel."""
        return product([*(size(self.sizes[dim]) for dim in self.kept), *([self.groups] if self.groups > 1 else [])])

    def full(self, signature: Signature, layout: Sequence[int], *, exact: bool) -> Position:
        """The position of one element of a row, rows and columns counted as they lie in memory.

        Args:
            exact: Columns fill their block, so that they need no mask.
        """
        sizes = [signature.size(each) for each in self.sizes]
        row, column = (
            Index("row", frozenset({"row_mask"})),
            Index("column", frozenset() if exact else frozenset({"column_mask"})),
        )
        if self.groups > 1:
            batch, group = split(row, [sizes[0], self.groups])
            inside = [sizes[1] // self.groups if isinstance(sizes[1], int) else 1, *sizes[2:]]
            channel, *spatial = split(column, inside)
            return (batch, join([each for each in (group, channel) if not each.still]), *spatial)
        places: dict[int, Axis] = {}
        for dims, index in ((self.kept, row), (self.reduced, column)):
            ordered = [dim for dim in layout if dim in dims]
            places.update(zip(ordered, split(index, [sizes[dim] for dim in ordered]), strict=True))
        return tuple(places[dim] for dim in range(len(self.shape)))

    def row_positions(self, full: Position) -> dict[tuple[Any, ...], Position]:
        """The positions of one value per row, by its shape."""
        if self.groups > 1:
            return {}
        kept = tuple(full[dim] for dim in self.kept)
        return {
            self.keepdim: tuple(STILL if dim in self.reduced else axis for dim, axis in enumerate(full)),
            self.squeezed: kept,
        }


def frame_of(node: fx.Node) -> Frame | None:
    """The frame of a reduction that kernels know; None of other nodes, and where rows are of no fixed length."""
    name = operator_name(node)
    if name not in WHOLE | SUMMARIES:
        return None
    given = arguments(node)
    source = source_of(node)
    if not is_tensor(source) or dtype(source) not in FLOATS or given.get("dtype") not in (None, dtype(source)):
        return None
    sizes = shape(source)
    dims = _reduced(name, given, len(sizes))
    if dims is None or not dims or any(not isinstance(sizes[dim], int) for dim in dims):
        return None
    groups = int(given["num_groups"]) if name == "group_norm" else 1
    frame = Frame(structure(source), tuple(sorted(dims)), groups, sizes)
    if groups > 1 and memory_order(source) != tuple(range(len(sizes))):
        return None
    alone = groups == 1 and all(size == 1 for size in frame.squeezed)  # one program would do all the work
    return frame if frame.columns > 1 and not alone else None


def _reduced(name: str, given: dict[str, Any], rank: int) -> list[int] | None:
    if name in ("layer_norm", "rms_norm"):
        if name == "rms_norm" and given["eps"] is None and given["input"].meta["val"].dtype.itemsize < 4:
            return None
        return list(range(rank - len(given["normalized_shape"]), rank))
    if name == "group_norm":
        return list(range(1, rank))
    if name == "instance_norm":
        plain = given["use_input_stats"] and given["running_mean"] is None and given["running_var"] is None
        return list(range(2, rank)) if plain else None
    if name in GLOBAL_POOLS:
        batched = rank == GLOBAL_POOLS[name] + 2 and all(size == 1 for size in given["output_size"])
        return list(range(2, rank)) if batched else None
    if name in PAIRS and "dim" not in given:
        return None
    if name == "linalg_vector_norm" and given["ord"] not in (1, 2):
        return None
    dim = given.get("dim")
    if dim is None or (name in SCANS and not isinstance(dim, int)):
        return None
    dims = [dim] if isinstance(dim, int) else list(dim)
    return [each % rank for each in dims]


def layout_of(frame: Frame, node: fx.Node) -> tuple[int, ...]:
    """The order of a frame's dimensions in the memory of a node of its shape."""
    return memory_order(node) or tuple(range(len(frame.shape)))


def rows_are_fastest(frame: Frame, layout: Sequence[int]) -> bool:
    """Whether neighbours in memory belong to different rows, so that several rows should be read together."""
    last = next((dim for dim in reversed(layout) if size_hint(frame.sizes[dim]) > 1), layout[-1])
    return last in frame.kept
