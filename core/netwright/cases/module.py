"""From a case to its module and inputs, ready to run."""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from netwright.cases.case import Case, Distribution, Inputs, map_tensors
from netwright.cases.seeding import seeded
from netwright.errors import NetwrightError, UserError


def build_module(case: Case, *, seed: int) -> nn.Module:
    """The case's unmodified module on the CPU in its own dtype, weights drawn from `seed`, then initialised.

    Raises:
        UserError: The module's code raises.
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
    return module.to(case.options.device, _dtype(case)).train(case.mode == "train")


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
