"""What a kernel can find out about a row: each statistic over a whole row at once, and block by block."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

LOWEST = 'float("-inf")'
MASKED = "tl.where({mask}, {x}, {neutral})"


def masked(x: str, mask: str, neutral: str) -> str:
    """Text in which what lies outside a row cannot change a result; itself where nothing lies outside."""
    return MASKED.format(mask=mask, x=x, neutral=neutral) if mask else x


class Statistic(ABC):
    """One way to sum up a row; `x` is the text of a tile of rows and columns, results have one column.

    Blocks are taken in lane by lane, so that they need no reduction before the end of the row, and lose little to
    rounding.
    """

    results: ClassVar[tuple[str, ...]]
    """What its results are called."""

    @abstractmethod
    def whole(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        """Lines that compute the results of rows which lie in one block."""

    @abstractmethod
    def start(self, names: Sequence[str]) -> list[str]:
        """Lines before the first block."""

    @abstractmethod
    def step(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        """Lines that take in a block."""

    @abstractmethod
    def finish(self, names: Sequence[str]) -> list[str]:
        """Lines after the last block, which leave the results under their names."""


class Total(Statistic):
    """A sum, of the elements or of something made of each."""

    results = ("total",)

    def __init__(self, each: Callable[[str], str] = lambda x: x) -> None:
        self._each = each

    def whole(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        return [f"{names[0]} = tl.sum({masked(self._each(x), mask, '0.0')}, axis=1, keep_dims=True)"]

    def start(self, names: Sequence[str]) -> list[str]:
        return [f"{names[0]} = tl.zeros([ROWS, BLOCK], tl.float32)"]

    def step(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        return [f"{names[0]} += {masked(self._each(x), mask, '0.0')}"]

    def finish(self, names: Sequence[str]) -> list[str]:
        return [f"{names[0]} = tl.sum({names[0]}, axis=1, keep_dims=True)"]


class Product(Statistic):
    """A product."""

    results = ("product",)

    def whole(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        return [f"{names[0]} = tl.reduce({masked(x, mask, '1.0')}, 1, kernel_multiply, keep_dims=True)"]

    def start(self, names: Sequence[str]) -> list[str]:
        return [f"{names[0]} = tl.full([ROWS, BLOCK], 1.0, tl.float32)"]

    def step(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        return [f"{names[0]} *= {masked(x, mask, '1.0')}"]

    def finish(self, names: Sequence[str]) -> list[str]:
        return [f"{names[0]} = tl.reduce({names[0]}, 1, kernel_multiply, keep_dims=True)"]


class Extreme(Statistic):
    """The largest or smallest element; NaN where there is one, which Triton's own reductions would drop."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._sign = ">" if kind == "max" else "<"
        self._neutral = 'float("-inf")' if kind == "max" else 'float("inf")'

    results = ("extreme",)

    def whole(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        (name,) = names
        return [f"{name} = {masked(x, mask, self._neutral)}", *self.finish(names)]

    def start(self, names: Sequence[str]) -> list[str]:
        return [f"{names[0]} = tl.full([ROWS, BLOCK], {self._neutral}, tl.float32)"]

    def step(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        (name,) = names
        better = f"({x} {self._sign} {name}) | ({x} != {x})"
        return [f"{name} = tl.where({f'({better}) & {mask}' if mask else better}, {x}, {name})"]

    def finish(self, names: Sequence[str]) -> list[str]:
        (name,) = names
        return [
            f"{name}_missing = tl.sum(tl.where({name} != {name}, 1.0, 0.0), axis=1, keep_dims=True)",
            f"{name} = tl.{self._kind}(tl.where({name} != {name}, {self._neutral}, {name}), axis=1, keep_dims=True)",
            f'{name} = tl.where({name}_missing > 0.0, float("nan"), {name})',
        ]


class First(Statistic):
    """The first column that holds the extreme."""

    results = ("first",)

    def __init__(self, extreme: str, columns: int) -> None:
        self._extreme = extreme
        self._columns = columns

    def _candidates(self, x: str, mask: str) -> str:
        found = f"({x} == {self._extreme}) | ({x} != {x})"
        return f"tl.where({f'({found}) & {mask}' if mask else found}, column, {self._columns - 1})"

    def whole(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        return [f"{names[0]} = tl.min({self._candidates(x, mask)}, axis=1, keep_dims=True)"]

    def start(self, names: Sequence[str]) -> list[str]:
        return [f"{names[0]} = tl.full([ROWS, BLOCK], {self._columns - 1}, tl.int32)"]

    def step(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        return [f"{names[0]} = tl.minimum({names[0]}, {self._candidates(x, mask)})"]

    def finish(self, names: Sequence[str]) -> list[str]:
        return [f"{names[0]} = tl.min({names[0]}, axis=1, keep_dims=True)"]


class Moments(Statistic):
    """Mean and (biased) variance: two passes over a whole row; Welford's update for blocks, joined as by Chan et al."""

    results = ("mean", "variance")

    def __init__(self, columns: int) -> None:
        self._columns = columns

    def whole(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        mean, variance = names
        return [
            f"{mean} = tl.sum({masked(x, mask, '0.0')}, axis=1, keep_dims=True) / {self._columns}",
            f"{variance}_of_each = {masked(f'{x} - {mean}', mask, '0.0')}",
            f"{variance} = tl.sum({variance}_of_each * {variance}_of_each, axis=1, keep_dims=True) / {self._columns}",
        ]

    def start(self, names: Sequence[str]) -> list[str]:
        mean, variance = names
        return [f"{name} = tl.zeros([ROWS, BLOCK], tl.float32)" for name in (f"{mean}_count", mean, variance)]

    def step(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        mean, variance = names
        return [
            f"{mean}_count += {f'tl.where({mask}, 1.0, 0.0)' if mask else '1.0'}",
            f"{mean}_change = {masked(f'{x} - {mean}', mask, '0.0')}",
            f"{mean} += {mean}_change / tl.maximum({mean}_count, 1.0)",
            f"{variance} += {mean}_change * {masked(f'{x} - {mean}', mask, '0.0')}",
        ]

    def finish(self, names: Sequence[str]) -> list[str]:
        mean, variance = names
        return [
            f"{mean}_of_lanes = {mean}",
            f"{mean} = tl.sum({mean}_of_lanes * {mean}_count, axis=1, keep_dims=True) / {self._columns}",
            f"{variance} += {mean}_count * ({mean}_of_lanes - {mean}) * ({mean}_of_lanes - {mean})",
            f"{variance} = tl.sum({variance}, axis=1, keep_dims=True) / {self._columns}",
        ]


class Exponentials(Statistic):
    """The maximum, and the sum of exponentials above it, for softmax and its relatives.

    Args:
        infinite: The sum of a row with an infinite element is infinite (logsumexp), not NaN (softmax).
    """

    results = ("maximum", "total")

    def __init__(self, infinite: bool = False) -> None:
        self._infinite = infinite

    def _shift(self, maximum: str) -> str:
        test = f'tl.abs({maximum}) == float("inf")' if self._infinite else f'{maximum} == float("-inf")'
        return f"tl.where({test}, 0.0, {maximum})"

    def whole(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        maximum, total = names
        lines = [f"{maximum} = tl.max({masked(x, mask, LOWEST)}, axis=1, keep_dims=True)"]
        if self._infinite:
            lines.append(f"{maximum} = {self._shift(maximum)}")
        each = masked(f"tl.exp({x} - {maximum})", mask, "0.0")
        return [*lines, f"{total} = tl.sum({each}, axis=1, keep_dims=True)"]

    def start(self, names: Sequence[str]) -> list[str]:
        maximum, total = names
        return [
            f'{maximum} = tl.full([ROWS, BLOCK], float("-inf"), tl.float32)',
            f"{total} = tl.zeros([ROWS, BLOCK], tl.float32)",
        ]

    def step(self, names: Sequence[str], x: str, mask: str) -> list[str]:
        maximum, total = names
        return [
            f"{maximum}_so_far = {maximum}",
            f"{maximum} = tl.maximum({maximum}, {masked(x, mask, LOWEST)})",
            f"{maximum}_shift = {self._shift(maximum)}",
            f"{total} = {total} * tl.exp({maximum}_so_far - {maximum}_shift)",
            f"{total} += {masked(f'tl.exp({x} - {maximum}_shift)', mask, '0.0')}",
        ]

    def finish(self, names: Sequence[str]) -> list[str]:
        maximum, total = names
        lines = [
            f"{maximum}_of_lanes = {maximum}",
            f"{maximum} = tl.max({maximum}_of_lanes, axis=1, keep_dims=True)",
            f"{maximum}_shift = {self._shift(maximum)}",
            f"{total} = tl.sum({total} * tl.exp({maximum}_of_lanes - {maximum}_shift), axis=1, keep_dims=True)",
        ]
        return [*lines, f"{maximum} = {maximum}_shift"] if self._infinite else lines
