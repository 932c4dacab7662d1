"""The one counter of MACs and FLOPs: what budgets, metrics and reports mean by a model's cost."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from netwright.cases import Inputs, map_tensors
from netwright.cases.seeding import seeded
from netwright.errors import NetwrightError

Shape = Sequence[int]

HEAVY = re.compile(
    r"mm(_|$)|matmul|conv|attention|rnn|lstm|gru|linear$|linalg|cdist|euclidean|fft|dot$|trilinear|sparse"
)
"""Names of PyTorch's own operators that multiply and add; one of them without a formula must not go unnoticed."""


@dataclass(frozen=True)
class Cost:
    """What one forward call of a module costs.

    Attributes:
        macs: Multiply-accumulate operations of matrix products, convolutions and attention; attention is counted
            without regard to masks.
        flops: 2 per MAC. Elementwise operations, normalisations, reductions and lookups are not counted.
        parameters: Elements of all parameters, tied ones once.
        macs_by_module: Per submodule (its dotted name, "" for the whole), the MACs inside it, where there are any.
        uncounted: Operators that ran, may have cost something, and have no formula, with their number of calls.
    """

    macs: int
    flops: int
    parameters: int
    macs_by_module: dict[str, int] = field(default_factory=dict)
    uncounted: dict[str, int] = field(default_factory=dict)


def count_cost(module: nn.Module, inputs: Inputs) -> Cost:
    """Count what `module(*inputs.args, **inputs.kwargs)` costs, in the mode that the module is in.

    The call runs on shapes alone where the module allows it, and for real where its code looks at values. Either way
    parameters, buffers, gradients and random generators end as they were. Kernels that bypass PyTorch's dispatcher
    (a Triton kernel launched by hand) are invisible to it.

    Raises:
        NetwrightError: The call fails.
    """
    without_data = any(tensor.is_meta for tensor in module.parameters())  # needs no fakes, which take their time
    try:
        counts = _count(module, inputs, None if without_data else FakeTensorMode(allow_non_fake_inputs=True))
    except Exception:  # whatever a module does that shapes alone cannot answer, the real call below decides
        try:
            counts = _count(module, inputs, None)
        except Exception as error:
            what = f"the cost of {type(module).__name__} cannot be counted"
            raise NetwrightError(what, why=f"its forward raises {type(error).__name__}: {error}") from error
    counter, witness = counts
    macs = {name.partition(".")[2]: sum(flops.values()) // 2 for name, flops in counter.get_flop_counts().items()}
    macs[""] = counter.get_total_flops() // 2
    by_module = {name: macs[name] for name, _ in module.named_modules() if macs.get(name)}
    return Cost(macs[""], 2 * macs[""], count_parameters(module), by_module, dict(witness.uncounted))


def count_parameters(module: nn.Module) -> int:
    """The number of elements of all parameters, those that share memory counted once."""
    distinct = {
        (value.untyped_storage()._cdata, value.storage_offset(), value.shape): value.numel()
        for value in module.parameters()
    }
    return sum(distinct.values())


class _Witness(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the operators that run without a formula and may have cost something."""

    def __init__(self, counted: set[Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counted = counted
        self.uncounted: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: OpOverload, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        packet = func._overloadpacket
        foreign = func.namespace not in ("aten", "prim", "prims")
        if packet not in self.counted and (foreign or HEAVY.search(packet.__name__)):
            self.uncounted[str(packet)] += 1
        return func(*args, **(kwargs or {}))


def _count(module: nn.Module, inputs: Inputs, fake: FakeTensorMode | None) -> tuple[FlopCounterMode, _Witness]:
    state: dict[str, torch.Tensor] = dict(module.named_buffers())
    state |= {name: value for name, value in module.named_parameters() if fake is not None or value.is_meta}
    copy: Callable[[torch.Tensor], torch.Tensor] = fake.from_tensor if fake else torch.clone
    counter = FlopCounterMode(display=False, custom_mapping=_FORMULAS)
    witness = _Witness(set(counter.flop_registry))
    with seeded(0), torch.no_grad(), _operator_by_operator():
        copies = {name: copy(tensor.detach()) for name, tensor in state.items()}
        call = map_tensors(inputs, lambda tensor: copy(tensor.detach()))
        with fake or nullcontext(), witness, counter:
            torch.func.functional_call(module, copies, call.args, call.kwargs)
    return counter, witness


@contextmanager
def _operator_by_operator() -> Iterator[None]:
    """Inside the block, PyTorch's transformer layers use operators that have formulas."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _attention(query: Shape, key: Shape, value: Shape) -> int:
    """Scores and their product with the values, for every query head: (B, H, S, D) x (B, H', T, D) x (B, H', T, E)."""
    return 2 * math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _grouped_product(left: Shape, right: Shape) -> int:
    """One product per group; where an operand is 2-D, its groups are rows or columns that add up to its own size."""
    groups = left[0] if len(left) == len(right) == 3 else 1
    return 2 * groups * left[-2] * left[-1] * right[-1]


def _matrix_vector(matrix: Shape) -> int:
    return 2 * math.prod(matrix)


def _added_matrix_vector(_bias: Shape, matrix: Shape) -> int:
    return 2 * math.prod(matrix)


def _added_batch(_bias: Shape, left: Shape, right: Shape) -> int:
    return 2 * math.prod(left) * right[-1]


def _recurrent_layer(inputs: Shape, input_weight: Shape, hidden_weight: Shape) -> int:
    """Every step of every sequence meets both weight matrices once: inputs (T, B, I)."""
    return 2 * math.prod(inputs[:-1]) * (math.prod(input_weight) + math.prod(hidden_weight))


def _recurrent(inputs: Shape, weights: Sequence[Shape]) -> int:
    """As `_recurrent_layer`, over the weight matrices of all layers and directions."""
    return 2 * math.prod(inputs[:-1]) * sum(math.prod(weight) for weight in weights if len(weight) == 2)


def _of_leading_shapes(formula: Callable[..., int]) -> Callable[..., int]:
    """`formula` in the form that torch's counter calls: with the shapes of all the operator's arguments."""
    count = formula.__code__.co_argcount
    return lambda *arguments, **_: formula(*arguments[:count])


_OWN: dict[str, Callable[..., int]] = {
    "_scaled_dot_product_flash_attention": _attention,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_efficient_attention": _attention,
    "_scaled_dot_product_cudnn_attention": _attention,
    "_scaled_dot_product_fused_attention_overrideable": _attention,
    "_grouped_mm": _grouped_product,
    "_scaled_grouped_mm": _grouped_product,
    "mv": _matrix_vector,
    "dot": _matrix_vector,
    "vdot": _matrix_vector,
    "addmv": _added_matrix_vector,
    "addbmm": _added_batch,
    "mkldnn_rnn_layer": _recurrent_layer,
    "_cudnn_rnn": _recurrent,
}
"""Formulas beside torch's own: operators that its oldest supported release does not count, and grouped heads."""

_FORMULAS = {
    getattr(torch.ops.aten, name): _of_leading_shapes(formula)
    for name, formula in _OWN.items()
    if hasattr(torch.ops.aten, name)
}
