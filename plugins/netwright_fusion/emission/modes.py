"""Conditions under which a module and its parts are in the modes that they were captured in."""

import inspect

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

MODAL = (_NormBase, _DropoutNd, nn.RNNBase, nn.MultiheadAttention, nn.RReLU)
"""Layers that compute something else in train mode."""


def mode_conditions(module: nn.Module, outline: nn.Module) -> list[str]:
    """What must be true of `self`, as expressions.

    Somebody may freeze batch norms in a module that trains, or let dropout drop in one that does not: where a part
    computes something else in the other mode, all are asked.

    Args:
        module: As it was captured.
        outline: Has the parts that the generated module will have.
    """
    no = "" if module.training else "not "
    there = {name for name, _ in outline.named_modules()}
    odd = [name for name, part in module.named_modules() if part.training is not module.training and name in there]
    if odd:
        names = ", ".join(f'"{name}"' for name in odd)
        found = "{name for name, part in self.named_modules() if part.training is not self.training}"
        return [f"{no}self.training", f"{found} == {{{names}}}"]
    if any(_depends_on_mode(part) for part in module.modules() if part is not module):
        return [f"all({no}part.training for part in self.modules())"]
    return [f"{no}self.training"]


def _depends_on_mode(part: nn.Module) -> bool:
    """Whether a part may compute something else in train mode; where its source is not to be had, it may."""
    if isinstance(part, MODAL):
        return True
    if type(part).__module__.startswith("torch.nn."):
        return False
    try:
        return "training" in inspect.getsource(type(part))
    except (OSError, TypeError):
        return True
