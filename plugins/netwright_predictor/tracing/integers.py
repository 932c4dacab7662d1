"""Integers: beside fake tensors, the numbers of those that follow from whole numbers alone, for code that asks them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

MOST = 1 << 24
"""Numbers in the largest tensor that is computed."""
FEW = 1 << 18
"""Numbers in the largest new tensor of other than whole numbers that is computed: masks may be made of them, too."""
aten = torch.ops.aten
FILLED: Mapping[OpOverload, Callable[[tuple[Any, ...]], Any]] = {
    aten.new_ones.default: lambda _: 1,
    aten.ones_like.default: lambda _: 1,
    aten.new_zeros.default: lambda _: 0,
    aten.zeros_like.default: lambda _: 0,
    aten.new_full.default: lambda args: args[2],
    aten.full_like.default: lambda args: args[1],
}
"""Operators that take from a tensor its shape or type alone, and the number that they fill another one with."""


class RealIntegers(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own class is not annotated
    """Inside the block, tokens, positions, lengths and masks are computed for real, besides being fake.

    Many models ask whether a mask hides anything, or how many tokens are of a kind, and go on by the answer. Inputs are
    the same in every prediction, so that the answer is no guess. What depends on weights stays unknown: a question
    about it raises what fake tensors raise. Enter it inside of a fake mode.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._real: Any = WeakTensorKeyDictionary()

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operator, twice where its numbers are known."""
        del types
        kwargs = kwargs or {}
        if not isinstance(func, OpOverload) or torch.Tag.nondeterministic_seeded in func.tags:
            return func(*args, **kwargs)
        args = self._with_known_indices(func, args)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        known = all(each in self._real or _is_constant(each) for each in tensors)
        asks = torch.Tag.data_dependent_output in func.tags or torch.Tag.dynamic_output_shape in func.tags
        if asks and known and tensors:
            real = self._compute(func, args, kwargs)
            return tree_map(self._fake, real)
        output = func(*args, **kwargs)
        if known and (tensors or _is_countable(output)) and _is_small(output):
            self._remember(output, self._compute(func, args, kwargs))
        elif func in FILLED and not (output.is_floating_point() or output.is_complex()) and output.numel() <= MOST:
            with _disable_current_modes():
                self._real[output] = torch.full(output.shape, FILLED[func](args), dtype=output.dtype)
        elif func._schema.is_mutable:
            self._forget(_written(func, args, kwargs))
        return output

    def _compute(self, func: OpOverload, args: Any, kwargs: Any) -> Any:
        real_args, real_kwargs = tree_map(self._known, (args, kwargs))
        with _disable_current_modes():
            result = func(*real_args, **real_kwargs)
            if "empty" in str(func):
                result.zero_()  # no number is as good as another: the same in every run
        return result

    def _known(self, value: Any) -> Any:
        return self._real.get(value, value) if isinstance(value, Tensor) else value

    def _fake(self, real: Any) -> Any:
        if not isinstance(real, Tensor):
            return real
        fake = torch.empty_strided(real.shape, real.stride(), dtype=real.dtype)
        self._real[fake] = real
        return fake

    def _remember(self, output: Any, real: Any) -> None:
        for fake, number in zip(tree_leaves(output), tree_leaves(real), strict=True):
            if isinstance(fake, Tensor):
                self._real[fake] = number

    def _forget(self, written: Iterable[Tensor]) -> None:
        """Drop tensors that may have been written to, and all that share their memory."""
        places = {self._real[each].untyped_storage().data_ptr() for each in written if each in self._real}
        if places:
            for fake in list(self._real):
                if self._real[fake].untyped_storage().data_ptr() in places:
                    del self._real[fake]

    def _with_known_indices(self, func: OpOverload, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Arguments of an indexing in which masks whose numbers are known are places, so that the shape is known."""
        if func is not aten.index.Tensor:
            return args
        places: list[Any] = []
        for each in args[1]:
            if isinstance(each, Tensor) and each.dtype == torch.bool and each in self._real:
                with _disable_current_modes():
                    found = self._real[each].nonzero(as_tuple=True)
                places += [self._fake(place) for place in found]
            else:
                places.append(each)
        return args[0], places, *args[2:]


def _written(func: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Tensor]:
    """The tensors among the arguments that an operator writes to; others, such as masks, stay as they are."""
    given = dict(zip((each.name for each in func._schema.arguments), args, strict=False)) | dict(kwargs)
    written = (each.name for each in func._schema.arguments if each.alias_info is not None and each.alias_info.is_write)
    return [leaf for name in written for leaf in tree_leaves(given.get(name)) if isinstance(leaf, Tensor)]


def _is_constant(tensor: Tensor) -> bool:
    """Whether a tensor was never fake: a list or a number in a model's code that became one."""
    return not isinstance(tensor, FakeTensor | nn.Parameter) and tensor.device.type == "cpu" and tensor.numel() <= MOST


def _is_countable(output: Any) -> bool:
    """Whether new tensors may be lengths, positions or masks: whole numbers, or a few others."""
    tensors = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
    return bool(tensors) and all(
        not (each.is_floating_point() or each.is_complex()) or each.numel() <= FEW for each in tensors
    )


def _is_small(output: Any) -> bool:
    return all(leaf.numel() <= MOST for leaf in tree_leaves(output) if isinstance(leaf, Tensor))
