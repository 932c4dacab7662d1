"""Fake models: everything of a model but its numbers, so that its forward runs without memory or time."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_map

from netwright_predictor.structure.skeleton import is_known_number
from netwright_predictor.tracing.integers import RealIntegers

_MODES: WeakKeyDictionary[nn.Module, FakeTensorMode] = WeakKeyDictionary()


@contextmanager
def faked(model: nn.Module) -> Iterator[None]:
    """Turn a model from the meta device into one of fake tensors on the CPU, and enter their mode.

    The model is changed for good: its parameters belong to a mode of its own, which each block enters again.
    """
    mode = _MODES.get(model)
    if mode is None:
        mode = _MODES[model] = FakeTensorMode(allow_non_fake_inputs=True)
        _replace_tensors(model, mode)
    with mode, RealIntegers(), _resting_modules(), _numbers_in_lists(), _silent_torch():
        yield


@contextmanager
def _silent_torch() -> Iterator[None]:
    """Inside the block, torch does not log what a fake operator refuses: it raises it, too."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _resting_modules() -> Iterator[None]:
    """Inside the block, `Module.to` leaves a module alone that has that type and place already.

    Torch would put each of its parameters in the place of itself, which fake ones do not allow.
    """
    apply: Any = nn.Module._apply

    def unless_same(self: nn.Module, function: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        own = (*self.parameters(), *self.buffers())
        if all(_is_inside(each) and function(each) is each for each in own):
            return self
        return apply(self, function, recurse)

    nn.Module._apply = unless_same  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module._apply = apply  # type: ignore[method-assign]


@contextmanager
def _numbers_in_lists() -> Iterator[None]:
    """Inside the block, `torch.tensor` takes lists of tensors by their numbers; torch would look into their memory."""
    tensor: Any = torch.tensor

    def of_numbers(data: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(data, list | tuple):
            data = tree_map(lambda each: each.tolist() if isinstance(each, Tensor) else each, data)
        return tensor(data, *args, **kwargs)

    torch.tensor = of_numbers
    try:
        yield
    finally:
        torch.tensor = tensor


def _is_inside(tensor: Tensor) -> bool:
    return isinstance(tensor, FakeTensor) or is_known_number(tensor)


def _replace_tensors(model: nn.Module, mode: FakeTensorMode) -> None:
    """Replace each parameter and buffer by a fake one, those that are shared by one; nobody else holds them then.

    Known numbers stay as they are, so that code which asks for them gets them.
    """
    fakes: dict[Tensor, Tensor] = {}
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None and not is_known_number(tensor):
                    if tensor not in fakes:
                        fakes[tensor] = _fake(tensor, mode)
                    tensors[name] = fakes[tensor]  # type: ignore[assignment]


def _fake(tensor: Tensor, mode: FakeTensorMode) -> Tensor:
    """A fake tensor on the CPU around one on the meta device, without asking the dispatcher, for there are many."""
    inner = tensor.detach() if tensor.is_meta else torch.empty_like(tensor, device="meta")
    fake = FakeTensor(mode, inner, torch.device("cpu"))
    if isinstance(tensor, nn.Parameter):
        fake.requires_grad_(tensor.requires_grad)
        fake._is_param = True  # what makes a subclass of Tensor an nn.Parameter
    return fake
