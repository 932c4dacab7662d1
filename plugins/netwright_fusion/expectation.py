"""What a call of a case should give: the module's own outputs beside those of a float64 copy of it."""

import torch
from torch import Tensor, nn

from netwright.cases import Inputs, Tolerance
from netwright.cases.seeding import seeded
from netwright.harness.compare import Yardstick, complaint, errors, rms
from netwright.harness.observe import as_tensor, flatten
from netwright.harness.oracle import cast_inputs, cast_module, in_float64, working_dtype


def outputs_of(
    module: nn.Module, inputs: Inputs, *, seed: int, exactly: torch.dtype | None = None, holder: nn.Module | None = None
) -> dict[str, Tensor]:
    """The outputs of a call and what it leaves in floating-point buffers, by name.

    Args:
        exactly: The type that the module works in; given, it is converted to float64 in place, and everything is
            computed in float64, but for random numbers, which stay those of that type.
        holder: Whose buffers to look at, if not the module's own.

    Raises:
        Exception: Whatever the module raises.
    """
    if exactly is None:
        with torch.no_grad(), seeded(seed):
            output = module(*inputs.args, **inputs.kwargs)
    else:
        cast_module(module, torch.float64)
        wide = cast_inputs(inputs, torch.float64)
        with torch.no_grad(), seeded(seed), in_float64(exactly):
            output = module(*wide.args, **wide.kwargs)
    leaves = {f"output {index}": as_tensor(leaf) for index, leaf in enumerate(flatten(output)[1])}
    buffers = (holder or module).named_buffers()
    return leaves | {f"buffer {name}": value.detach() for name, value in buffers if value.is_floating_point()}


def yardsticks(module: nn.Module, exact: nn.Module, inputs: Inputs, *, seed: int) -> dict[str, Yardstick]:
    """What a call's outputs and the buffers that it changes are held against, by the names that `outputs_of` gives.

    Args:
        module: In the mode and with the weights of the call; its buffers may change.
        exact: A copy of its own, which is converted to float64.

    Raises:
        Exception: Whatever the module raises.
    """
    narrow = working_dtype(module, inputs)
    before = {f"buffer {name}": value.clone() for name, value in module.named_buffers()}
    eager = outputs_of(module, inputs, seed=seed)
    oracle = outputs_of(exact, inputs, seed=seed, exactly=narrow)
    changed = {name: value for name, value in eager.items() if name not in before or not value.equal(before[name])}
    return {name: _yardstick(value, oracle[name]) for name, value in changed.items()}


def first_complaint(
    found: dict[str, Tensor], expected: dict[str, Yardstick], tolerance: Tolerance, *, strict: bool = True
) -> str | None:
    """The first thing that is not as expected, or None. Limits are wider than the harness's own: one draw of few
    elements may be exact by luck, and the harness looks at several.
    """
    coarse = tolerance.widened(factor=4, floor=8)
    for name, yardstick in expected.items():
        values = found.get(name)
        if values is None:
            return f"{name} is missing"
        if values.shape != yardstick.eager.shape or values.dtype != yardstick.eager.dtype:
            was = f"{yardstick.eager.dtype} of {tuple(yardstick.eager.shape)}"
            return f"{name} is {values.dtype} of {tuple(values.shape)}, not {was}"
        if wrong := complaint(values, yardstick, coarse, strict=strict):
            return f"{name}: {wrong}"
    return None


def _yardstick(eager: Tensor, oracle: Tensor) -> Yardstick:
    error, rms_error = errors(eager, oracle)
    eps = torch.finfo(eager.dtype).eps if eager.is_floating_point() or eager.is_complex() else 0.0
    return Yardstick(oracle, eager, error, rms_error, rms(oracle), eps)
