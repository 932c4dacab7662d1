"""The checks on one call: each a small function that says what is wrong, or None."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from torch import Tensor

from netwright.cases import Tolerance
from netwright.harness.compare import Yardstick, complaint, misplaced
from netwright.harness.judge import Expected
from netwright.harness.observe import digest
from netwright.harness.protocol import Draw, LeafFacts

STATE_FACTOR, STATE_FLOOR = 4.0, 16.0
"""How much wider the tolerance is for what a call leaves behind. Running statistics are means of what nearly cancels,
and PyTorch's CPU kernels sum them in float64: an honest float32 sum lies several times farther from the oracle."""


@dataclass(frozen=True)
class Call:
    """One call of a variant, beside what it should have done.

    Attributes:
        changed: The inputs, parameters, buffers and plain attributes that it changed; None where nobody looked.
        tensors: Its outputs and what it changed, by name.
    """

    draw: Draw
    expected: Expected
    structure: str
    leaves: tuple[LeafFacts, ...]
    changed: tuple[str, ...] | None
    tensors: dict[str, Tensor]
    tolerance: Tolerance

    @property
    def strict(self) -> bool:
        """Whether NaN and infinities must match in kind: not where an infinity was put into the inputs."""
        return self.draw.special != "inf"


def structure(call: Call) -> str | None:
    """The output is built of the same containers, keys and plain values, with tensors in the same places."""
    if call.structure == call.expected.facts.structure and len(call.leaves) == len(call.expected.facts.leaves):
        return None
    return f"it returns {_short(call.structure)}, the reference {_short(call.expected.facts.structure)}"


def types(call: Call) -> str | None:
    """Every output is of exactly the reference's Python type: no lazy subclass, no parameter."""
    return _compare(call, "type", lambda leaf: leaf.type)


def dtype(call: Call) -> str | None:
    """Every output has the reference's element type."""
    return _compare(call, "dtype", lambda leaf: leaf.dtype)


def device(call: Call) -> str | None:
    """Every output is on the reference's device."""
    return _compare(call, "device", lambda leaf: leaf.device)


def shape(call: Call) -> str | None:
    """Every output has the reference's shape."""
    return _compare(call, "shape", lambda leaf: leaf.shape)


def strides(call: Call) -> str | None:
    """Every output lies in memory as the reference's does; it may close the gaps that a view leaves there."""
    for index, (leaf, reference) in enumerate(_pairs(call)):
        if leaf.strides not in (reference.strides, _without_gaps(reference)):
            return f"output {index} has strides {leaf.strides}, the reference's {reference.strides}"
    return None


def aliasing(call: Call) -> str | None:
    """No output shares memory with an input, parameter or buffer, unless the reference's does too."""
    for index, (leaf, reference) in enumerate(_pairs(call)):
        shared = sorted(set(leaf.aliases) - set(reference.aliases))
        if shared:
            return f"output {index} shares memory with {shared[0]}, the reference's does not"
    return None


def mutation(call: Call) -> str | None:
    """Inputs, parameters and buffers end as the reference leaves them."""
    if call.changed is None:
        return None
    ours, theirs = set(call.changed), set(call.expected.facts.changed)
    tolerance = call.tolerance.widened(factor=STATE_FACTOR, floor=STATE_FLOOR)
    for name in sorted(ours - theirs):
        return f"it changes {name}, the reference does not"
    for name in sorted(theirs - ours):
        return f"it leaves {name} as it was, the reference changes it"
    for name in sorted(ours & theirs & set(call.expected.yardsticks)):
        yardstick, values = call.expected.yardsticks[name], call.tensors.get(name)
        if values is None or values.shape != yardstick.eager.shape:
            return f"it leaves {name} in another shape than the reference, or not at all"
        problem = complaint(values, yardstick, tolerance, strict=call.strict)
        if problem:
            return f"it leaves {name} otherwise than the reference: {problem}"
    return None


def special_values(call: Call) -> str | None:
    """NaN and infinities stand where the reference or the oracle has them, and nowhere else: unwritten memory shows."""
    for name, yardstick in _outputs(call).items():
        values = call.tensors.get(name)
        if values is None or not values.is_floating_point() or values.shape != yardstick.eager.shape:
            continue  # accuracy says so
        count = misplaced(values, yardstick, strict=call.strict)
        if count:
            return (
                f"{name}: {count} of {values.numel()} elements are NaN or infinite, or fail to be, unlike the reference"
            )
    return None


def accuracy(call: Call) -> str | None:
    """Every output is as close to the float64 oracle as the case's tolerance asks; integers are exact."""
    for name, yardstick in _outputs(call).items():
        values = call.tensors.get(name)
        if yardstick.eager.numel() == 0 and 0 not in call.expected.facts.leaves[int(name.split()[1])].shape:
            return f"{name}: the reference's own values cannot be had"
        if values is None or values.shape != yardstick.eager.shape or values.dtype != yardstick.eager.dtype:
            return f"{name}: its values cannot be compared"
        problem = complaint(values, yardstick, call.tolerance, strict=call.strict)
        if problem:
            return f"{name}: {problem}"
    return None


def repeatable(first: dict[str, Tensor], again: dict[str, Tensor]) -> str | None:
    """Two calls on the same inputs and weights leave the same bits."""
    for name in sorted(first):
        if name not in again or digest(first[name]) != digest(again[name]):
            return f"two calls on the same inputs differ in {name}, and it does not claim deterministic=false"
    return None


CallCheck = Callable[[Call], str | None]

CALL_CHECKS: dict[str, CallCheck] = {
    "structure": structure,
    "type": types,
    "dtype": dtype,
    "device": device,
    "shape": shape,
    "strides": strides,
    "aliasing": aliasing,
    "mutation": mutation,
    "special values": special_values,
    "accuracy": accuracy,
}
"""By the name that reports show, in the order in which they are made."""


def _pairs(call: Call) -> list[tuple[LeafFacts, LeafFacts]]:
    return list(zip(call.leaves, call.expected.facts.leaves, strict=False))


def _compare(call: Call, what: str, fact: Callable[[LeafFacts], object]) -> str | None:
    for index, (leaf, reference) in enumerate(_pairs(call)):
        if fact(leaf) != fact(reference):
            return f"output {index} has {what} {fact(leaf)}, the reference's {fact(reference)}"
    return None


def _without_gaps(leaf: LeafFacts) -> tuple[int, ...] | None:
    """The strides of a dense tensor whose elements lie in a view's order; those of a view that overlaps itself."""
    if leaf.strides is None:
        return None
    extent = 1 + sum((size - 1) * stride for size, stride in zip(leaf.shape, leaf.strides, strict=True))
    if extent < prod(leaf.shape):
        return leaf.strides
    dense, step = [0] * len(leaf.shape), 1
    for dim in sorted(range(len(dense)), key=leaf.strides.__getitem__):
        if leaf.shape[dim] > 1:
            dense[dim], step = step, step * leaf.shape[dim]
    return tuple(dense)


def _outputs(call: Call) -> dict[str, Yardstick]:
    return {name: each for name, each in call.expected.yardsticks.items() if name.startswith("output")}


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
