"""Where in its tensors a kernel stands: index expressions, axes and positions, kept simple enough to be read."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

Size = int | str
"""A number, or the name that a number has in the kernel."""


def product(sizes: Iterable[Size]) -> Size:
    """The product of sizes: a number where all are known, else text such as "batch * 49"; equal products look equal."""
    number, names = 1, []
    for size in sizes:
        for factor in [size] if isinstance(size, int) else size.split(" * "):
            if isinstance(factor, int) or factor.isdigit():
                number *= int(factor)
            else:
                names.append(factor)
    if not names:
        return number
    return " * ".join([*sorted(names), str(number)] if number != 1 else sorted(names))


@dataclass(frozen=True)
class Index:
    """An integer expression in a kernel, with the masks that say where it is valid."""

    text: str
    masks: frozenset[str] = frozenset()

    @property
    def zero(self) -> bool:
        """Whether this is the constant 0."""
        return self.text == "0"

    def times(self, factor: Size) -> "Index":
        """Multiplied by a size."""
        if self.zero or factor == 0:
            return Index("0")
        if factor == 1:
            return self
        if self.text.isdigit() and isinstance(factor, int):
            return Index(str(int(self.text) * factor))
        return Index(f"{_operand(self.text)} * {_operand(str(factor))}", self.masks)

    def plus(self, other: "Index") -> "Index":
        """The sum of both."""
        if self.zero:
            return other
        if other.zero:
            return self
        if self.text.isdigit() and other.text.isdigit():
            return Index(str(int(self.text) + int(other.text)))
        return Index(f"{self.text} + {other.text}", self.masks | other.masks)

    def minus(self, number: int) -> "Index":
        """Less a number."""
        return self if number == 0 else Index(f"{self.text} - {number}", self.masks)

    def over(self, divisor: Size) -> "Index":
        """Whole quotient."""
        if divisor == 1 or self.zero:
            return self
        return Index(f"{_operand(self.text)} // {_operand(str(divisor))}", self.masks)

    def modulo(self, divisor: Size) -> "Index":
        """Remainder."""
        if divisor == 1 or self.zero:
            return Index("0")
        return Index(f"{_operand(self.text, left_of='%')} % {_operand(str(divisor))}", self.masks)


def _operand(text: str, left_of: str = "") -> str:
    """Text as an operand: in parentheses unless it is a name or a number, or a quotient left of a remainder."""
    if re.fullmatch(r"\w+", text) or (left_of == "%" and re.fullmatch(r"\w+( // \w+)*", text)):
        return text
    return f"({text})"


@dataclass(frozen=True)
class Axis:
    """One dimension of a position: `group // inner % size`, or the whole of `group` where that is all it counts."""

    size: Size
    group: Index
    inner: Size = 1
    """How many steps of the group one step along this axis takes."""
    outermost: bool = True
    """Whether no axis of the same group lies outside this one, so that no remainder need be taken."""
    parts: "tuple[Axis, ...]" = ()
    """Where one dimension is counted by several axes: those, the fastest last."""

    @property
    def index(self) -> Index:
        """Where this axis stands."""
        if self.parts:
            return offset(self.parts, contiguous_strides([part.size for part in self.parts]))
        return _part(self.group, self.inner, self.size, self.outermost)

    @property
    def still(self) -> bool:
        """Whether it always stands at 0."""
        return self.group.zero and not self.parts


Position = tuple[Axis, ...]
"""One axis per dimension of a tensor."""

STILL = Axis(1, Index("0"))


def _part(group: Index, inner: Size, size: Size, outermost: bool) -> Index:
    quotient = group.over(inner)
    return quotient if outermost else quotient.modulo(size)


def split(group: Index, sizes: Sequence[Size]) -> Position:
    """The axes of dimensions that one index counts together, the last one fastest."""
    axes: list[Axis] = []
    outermost = True
    for number, size in enumerate(sizes):
        axes.append(STILL if size == 1 else Axis(size, group, product(sizes[number + 1 :]), outermost))
        outermost = outermost and size == 1
    return tuple(axes)


def join(parts: Sequence[Axis]) -> Axis:
    """One dimension that several axes count together."""
    return Axis(product(part.size for part in parts), Index("0"), parts=tuple(parts))


def divide(axis: Axis, sizes: Sequence[Size]) -> Position:
    """The axes of dimensions into which a reshape cuts one."""
    if axis.still:
        return (STILL,) * len(sizes)
    if axis.parts:
        return split(axis.index, sizes)
    axes: list[Axis] = []
    outermost = axis.outermost
    for number, size in enumerate(sizes):
        inner = product([*sizes[number + 1 :], axis.inner])
        axes.append(STILL if size == 1 else Axis(size, axis.group, inner, outermost))
        outermost = outermost and size == 1
    return tuple(axes)


def contiguous_strides(sizes: Sequence[Size]) -> tuple[Size, ...]:
    """Elements per step along each dimension of a contiguous tensor."""
    return tuple(product(sizes[number + 1 :]) for number in range(len(sizes)))


def offset(position: Position, strides: Sequence[Size], hoist: Callable[[Index], Index] = lambda index: index) -> Index:
    """How many elements from its start a tensor's element lies; axes of one group are taken together where they can be.

    Args:
        hoist: Gives a part of the sum a name.
    """
    moving = [pair for pair in _single(position, strides) if not pair[0].still and pair[1] != 0]
    while (pair := _neighbours(moving)) is not None:
        outer, inner = pair
        (left, _), (right, stride) = moving[outer], moving[inner]
        moving[outer] = Axis(product([left.size, right.size]), right.group, right.inner, left.outermost), stride
        del moving[inner]
    total = Index("0")
    for axis, stride in moving:
        total = total.plus(hoist(axis.index).times(stride))
    return total


def _single(position: Position, strides: Sequence[Size]) -> Iterator[tuple[Axis, Size]]:
    """Axes with their strides; those that count one dimension together, one by one."""
    for axis, stride in zip(position, strides, strict=True):
        inner = contiguous_strides([part.size for part in axis.parts])
        yield from ((part, product([each, stride])) for part, each in zip(axis.parts, inner, strict=True))
        if not axis.parts:
            yield axis, stride


def _neighbours(moving: Sequence[tuple[Axis, Size]]) -> tuple[int, int] | None:
    """Two axes that one quotient can count together."""
    for outer, (left, left_stride) in enumerate(moving):
        for inner, (right, right_stride) in enumerate(moving):
            if (
                outer != inner
                and left.group == right.group
                and left.inner == product([right.size, right.inner])
                and left_stride == product([right.size, right_stride])
            ):
                return outer, inner
    return None


def reshape(position: Position, sizes: Sequence[Size], to: Sequence[Size]) -> Position | None:
    """The position in a tensor of shape `to` that a reshape shows at `position` of shape `sizes`.

    Both shapes are cut into pieces of equal products, so that dimensions a reshape leaves alone stay as they are.
    None where sizes with names do not fall into such pieces.
    """
    axes: list[Axis] = []
    left = right = 0
    while left < len(sizes) or right < len(to):
        ends = _piece(sizes, to, left, right)
        if ends is None:
            return None
        left_end, right_end = ends
        if left_end - left == 1 and right_end - right == 1:
            axes.append(position[left])
        elif left_end - left == 1:
            axes.extend(divide(position[left], to[right:right_end]))
        elif right_end - right == 1:
            axes.append(join(position[left:left_end]) if left_end > left else STILL)
        else:
            flat = offset(position[left:left_end], contiguous_strides(sizes[left:left_end]))
            axes.extend(split(flat, to[right:right_end]))
        left, right = left_end, right_end
    return tuple(axes)


def _piece(sizes: Sequence[Size], to: Sequence[Size], left: int, right: int) -> tuple[int, int] | None:
    """Where the shortest pieces of equal product end, from here on."""
    for left_end in range(left, len(sizes) + 1):
        for right_end in range(right, len(to) + 1):
            if (left_end, right_end) != (left, right) and product(sizes[left:left_end]) == product(to[right:right_end]):
                return left_end, right_end
    return None
