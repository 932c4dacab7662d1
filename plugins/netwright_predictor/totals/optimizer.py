"""Optimizers: the bytes that each keeps per parameter, and those that a step needs besides."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Final

from netwright.errors import unknown_name

Shape = tuple[int, ...]
STEP = 4
"""Bytes of a step counter, a float32 scalar per parameter (torch.optim)."""
BLOCK = 256
"""Numbers that share a float32 maximum in 8-bit states (Dettmers et al., arXiv:2110.02861, and bitsandbytes)."""
SMALL = 4096
"""Parameters below this many numbers keep 32-bit states in bitsandbytes."""


@dataclass(frozen=True)
class Tensor:
    """A parameter as an optimizer sees it."""

    shape: Shape
    itemsize: int

    @property
    def numbers(self) -> int:
        """How many it holds."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Its size, and its gradient's."""
        return self.numbers * self.itemsize


@dataclass(frozen=True)
class Optimizer:
    """What an optimizer costs.

    Attributes:
        state: Bytes kept per parameter between steps.
        temporary: Bytes per parameter that a step over all parameters at once (`foreach`, the default on a GPU)
            holds besides.
        says: Which implementation this is.
    """

    state: Callable[[Tensor], int]
    temporary: Callable[[Tensor], int]
    says: str


def _adam(each: Tensor) -> int:
    return 2 * each.bytes + STEP


def _adam_8bit(each: Tensor) -> int:
    if each.numbers < SMALL:
        return 2 * 4 * each.numbers
    return 2 * (each.numbers + 4 * -(-each.numbers // BLOCK))


def _adafactor(each: Tensor) -> int:
    if len(each.shape) < 2:
        return each.bytes + STEP
    rows = prod(each.shape[:-1])
    columns = prod(each.shape[:-2]) * each.shape[-1]
    return (rows + columns) * each.itemsize + STEP


def _muon(each: Tensor) -> int:
    return each.bytes if len(each.shape) == 2 else _adam(each)


def _nothing(each: Tensor) -> int:
    del each
    return 0


def _bytes(each: Tensor) -> int:
    return each.bytes


OPTIMIZERS: Final[Mapping[str, Optimizer]] = {
    "adamw": Optimizer(_adam, _bytes, "torch.optim.AdamW: two moments in the parameter's dtype"),
    "adamw_fp32": Optimizer(
        lambda each: 12 * each.numbers + STEP,
        lambda each: 8 * each.numbers,
        "AdamW on float32 master weights: master and two moments, 12 bytes each (ZeRO, arXiv:1910.02054, section 3.1)",
    ),
    "adam8bit": Optimizer(_adam_8bit, _nothing, "bitsandbytes: two 8-bit moments, a float32 maximum per block of 256"),
    "sgd": Optimizer(_nothing, _nothing, "torch.optim.SGD without momentum"),
    "sgd_momentum": Optimizer(_bytes, _nothing, "torch.optim.SGD with momentum"),
    "adafactor": Optimizer(_adafactor, _bytes, "torch.optim.Adafactor: row and column sums for matrices"),
    "lion": Optimizer(_bytes, _bytes, "Lion (arXiv:2302.06675): one momentum"),
    "muon": Optimizer(_muon, _nothing, "torch.optim.Muon for matrices: one momentum; AdamW for the rest"),
    "none": Optimizer(_nothing, _nothing, "no optimizer"),
}


def find_optimizer(name: str) -> Optimizer:
    """An optimizer by name.

    Raises:
        UserError: There is no such optimizer.
    """
    if name not in OPTIMIZERS:
        raise unknown_name("optimizer", name, OPTIMIZERS)
    return OPTIMIZERS[name]


def state_bytes(name: str, tensors: Iterable[Tensor]) -> int:
    """Bytes that an optimizer keeps for these parameters."""
    optimizer = find_optimizer(name)
    return sum(optimizer.state(each) for each in tensors)


def temporary_bytes(name: str, tensors: Iterable[Tensor]) -> int:
    """Bytes that a step over these parameters holds besides weights, gradients and state."""
    optimizer = find_optimizer(name)
    return sum(optimizer.temporary(each) for each in tensors)
