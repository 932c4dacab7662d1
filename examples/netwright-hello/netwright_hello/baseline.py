"""A baseline of group "execution": given the case's module, it returns what is to be timed."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def inference_mode(module: nn.Module) -> Callable[..., Any]:
    """Eager under `torch.inference_mode`: no autograd bookkeeping."""

    def forward(*args: Any, **kwargs: Any) -> Any:
        with torch.inference_mode():
            return module(*args, **kwargs)

    return forward
