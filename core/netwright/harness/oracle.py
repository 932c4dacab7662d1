"""The float64 oracle: what a module would compute if its arithmetic were sixteen digits exact."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from netwright.cases import Inputs, map_tensors
from netwright.harness.draws import all_tensors

WIDE = {
    **dict.fromkeys((torch.float32, torch.bfloat16, torch.float16), torch.float64),
    **dict.fromkeys((torch.complex64, torch.complex32), torch.complex128),
}
GROUPED_PRODUCT = getattr(getattr(torch.ops.aten, "_grouped_mm", None), "default", None)


def working_dtype(module: nn.Module, inputs: Inputs) -> torch.dtype:
    """The floating-point type that a module works in: that of most of its weights, else of its inputs, else float32."""
    sizes: dict[torch.dtype, int] = {}
    for group in (list(module.parameters()), all_tensors(inputs)):
        for tensor in group:
            if tensor.is_floating_point():
                sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.numel()
        if sizes:
            return max(sizes, key=lambda dtype: sizes[dtype])
    return torch.float32


def cast_inputs(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    """Copies of the inputs, floating-point tensors in `dtype`, complex ones in the complex type of its width."""
    return map_tensors(inputs, lambda tensor: _cast(tensor, dtype).clone())  # type: ignore[no-any-return]


def cast_module(module: nn.Module, dtype: torch.dtype) -> None:
    """Convert parameters and buffers as `cast_inputs` does; `nn.Module.to` would make real numbers of complex ones."""
    module._apply(lambda tensor: _cast(tensor, dtype))  # type: ignore[no-untyped-call]


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if tensor.is_complex():
        return tensor.to(torch.complex128 if dtype == torch.float64 else torch.complex64)
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


@contextmanager
def in_float64(narrow: torch.dtype) -> Iterator[None]:
    """Inside the block, every operator works in float64, whatever narrower type the code asks for.

    Args:
        narrow: The type in which random numbers are drawn all the same, so that they are the same numbers.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Float64Mode(narrow):
            yield
    finally:
        torch.set_default_dtype(before)


class _Float64Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, narrow: torch.dtype) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.narrow = narrow

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch's default, True, imports its compiler on the first operator: 1.5 s for nothing."""
        return False

    def __torch_dispatch__(
        self, func: OpOverload, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded in func.tags and not _never_drops(func, args, kwargs):
            return self._draw(func, args, kwargs)
        written = _written(func, args, kwargs)
        args, kwargs = tree_map(lambda value: value if id(value) in written else _widen(value), (args, kwargs))
        if func is GROUPED_PRODUCT:
            return _grouped_product(*args, **{name: kwargs[name] for name in kwargs if name == "offs"})
        return func(*args, **kwargs)

    def _draw(self, func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a random operator in the narrow type and hand its results on in float64."""
        written = _written(func, args, kwargs)
        wide: dict[int, Tensor] = {}

        def narrowed(value: Any) -> Any:
            if value is torch.float64:
                return self.narrow
            if not isinstance(value, Tensor) or value.dtype != torch.float64:
                return value
            result = value.to(self.narrow)
            if id(value) in written:
                wide[id(result)] = value
            return result

        args, kwargs = tree_map(narrowed, (args, kwargs))
        outputs = func(*args, **kwargs)
        for argument in [*args, *kwargs.values()]:
            if id(argument) in wide:
                wide[id(argument)].copy_(argument)
        return tree_map(lambda value: wide.get(id(value), _widen(value)), outputs)


def _grouped_product(left: Tensor, right: Tensor, offs: Tensor | None = None, *_: object) -> Tensor:
    """What the grouped product computes, which has no float64 kernel: one product per group.

    Where an operand is 2-D, `offs` says where its groups end: rows of the left one, columns of the right one, or, where
    both are, the dimension that is summed over.
    """
    if offs is None:
        return left @ right
    ends = offs.tolist()
    spans = [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    if left.dim() == right.dim() == 2:
        return torch.stack([left[:, span] @ right[span] for span in spans])
    if left.dim() == 3:
        return torch.cat([left[group] @ right[:, span] for group, span in enumerate(spans)], dim=1)
    result = left.new_zeros(left.shape[0], right.shape[2])
    for group, span in enumerate(spans):
        result[span] = left[span] @ right[group]
    return result


def _widen(value: Any) -> Any:
    if isinstance(value, torch.dtype):
        return WIDE.get(value, value)
    return value.to(WIDE[value.dtype]) if isinstance(value, Tensor) and value.dtype in WIDE else value


def _never_drops(func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an operator is random for its dropout only (attention, recurrent layers), and that is 0 here."""
    schema = func._schema.arguments
    given = {argument.name: value for argument, value in zip(schema, args, strict=False)} | kwargs
    rates = [given.get(each.name, each.default_value) for each in schema if each.name in ("dropout_p", "dropout")]
    return rates == [0]


def _written(func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> set[int]:
    """The identities of the arguments that an operator writes into."""
    schema = func._schema.arguments
    values = [(schema[index], value) for index, value in enumerate(args)]
    values += [(argument, kwargs[argument.name]) for argument in schema if argument.name in kwargs]
    return {id(value) for argument, value in values if argument.alias_info is not None and argument.alias_info.is_write}
