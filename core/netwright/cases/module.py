"""From a case to its module and inputs, ready to run."""

import copy
from collections import OrderedDict
from collections.abc import Mapping
from types import CellType, FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from netwright.cases.case import Case, Distribution, Inputs, map_tensors
from netwright.cases.seeding import seeded
from netwright.errors import NetwrightError, UserError


def build_module(case: Case, *, seed: int) -> nn.Module:
    """The case's unmodified module on the CPU in its own dtype, weights drawn from `seed`, then initialised.

    Raises:
        UserError: The module's code raises, or leaves parameters without sizes.
    """
    try:
        with seeded(seed):
            module = case.build()
            if case.initialise is not None:
                case.initialise(module)
    except NetwrightError:
        raise
    except Exception as error:
        raise UserError(f"case '{case.name}' cannot be built", why=_one_line(error)) from error
    if lazy := [name for name, parameter in module.named_parameters() if is_lazy(parameter)]:
        raise UserError(
            f"case '{case.name}' cannot be built",
            why=f"its parameter '{lazy[0]}' has no size before the first call",
            remedy="give the layer its sizes, or call the module once in its constructor",
        )
    return module


def prepare_module(case: Case, *, seed: int, weights: Mapping[str, Tensor] | None = None) -> nn.Module:
    """The case's module on its device, in its dtype and mode.

    Args:
        seed: What its weights are drawn from.
        weights: A state dict to load in their place, e.g. from `agent_provide_weights`.

    Raises:
        UserError: The module's code raises.
    """
    module = build_module(case, seed=seed)
    if weights is not None:
        state = OrderedDict(weights)
        state._metadata = getattr(module.state_dict(), "_metadata", {})  # type: ignore[attr-defined]  # layers' versions
        module.load_state_dict(state)
    module = module.to(case.options.device, _dtype(case))
    return module if case.mode is None else module.train(case.mode == "train")


def copy_module(module: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """A deep copy, in which functions that the module keeps as attributes refer to the copy's parts, too.

    Args:
        memo: As `copy.deepcopy` takes it: what not to copy, by identity.

    Raises:
        RuntimeError, TypeError or NotImplementedError: Some part cannot be copied.
    """
    memo = {} if memo is None else memo
    own = copy.deepcopy(module, memo)
    for part in own.modules():
        for name, value in vars(part).items():
            if isinstance(value, FunctionType) and value.__closure__:
                cells = (memo.get(id(cell.cell_contents), cell.cell_contents) for cell in value.__closure__)
                closure = tuple(CellType(each) for each in cells)
                function = FunctionType(value.__code__, value.__globals__, value.__name__, value.__defaults__, closure)
                function.__kwdefaults__ = value.__kwdefaults__
                vars(part)[name] = function
    return own


def draw_inputs(case: Case, *, seed: int, distribution: Distribution = "normal") -> Inputs:
    """One call's arguments on the CPU in the case's dtype, always the same for the same seed and distribution.

    Raises:
        UserError: The case's own code that draws them raises.
    """
    try:
        with seeded(seed):
            inputs = case.draw_inputs(seed, distribution)
    except NetwrightError:
        raise
    except Exception as error:
        raise UserError(f"inputs of case '{case.name}' cannot be drawn", why=_one_line(error)) from error
    dtype = _dtype(case)
    cast_inputs: Inputs = map_tensors(inputs, lambda value: value.to(dtype) if value.is_floating_point() else value)
    return cast_inputs


def _dtype(case: Case) -> torch.dtype | None:
    dtype: torch.dtype | None = getattr(torch, case.options.dtype) if case.options.dtype else None
    return dtype


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
