"""The inputs and weights that all variants of a case share, the same in every process, kept on disk."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from netwright.cases import Case, Distribution, Inputs
from netwright.cases.module import draw_inputs, prepare_module
from netwright.files import content_key
from netwright.harness.store import stored


def agent_provide_inputs(case: Case, *, seed: int = 0, distribution: Distribution = "normal") -> Inputs:
    """One call's arguments on the CPU, in the case's dtype; the caller may change them.

    Args:
        distribution: "normal" is the case's own; the others are described at `netwright.cases.draw.redistribute`.

    Raises:
        UserError: The case's own code that draws them raises.
    """

    def draw() -> Inputs:
        return draw_inputs(case, seed=seed, distribution=distribution)

    key = _key(case, "inputs", seed, distribution)
    return stored(key, draw) if case.content else draw()


def agent_provide_weights(case: Case, *, seed: int = 0) -> dict[str, Tensor]:
    """The state dict of the case's module with weights drawn from `seed`, on the CPU, in the case's dtype.

    Raises:
        UserError: The module's code raises.
    """

    def draw() -> dict[str, Tensor]:
        options = case.options.model_copy(update={"device": "cpu"})
        module = prepare_module(replace(case, options=options), seed=seed)
        return _apart(module.state_dict())

    return stored(_key(case, "weights", seed), draw) if case.content else draw()


def _apart(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state dict whose tensors are contiguous and share no memory: the store does not keep such ties."""
    memory: set[int] = set()
    apart: dict[str, Any] = {}
    for name, value in state.items():
        if not isinstance(value, Tensor):
            apart[name] = value
            continue
        dense = value.detach().contiguous()
        address = dense.untyped_storage().data_ptr()
        apart[name] = dense.clone() if address in memory else dense
        memory.add(address)
    return apart


def _key(case: Case, *parts: Any) -> str:
    return content_key(*parts, case.content, case.options.dtype, torch.__version__)
