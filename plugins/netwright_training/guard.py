"""Keeping a training clean of numbers that are not finite."""

import math

import torch
from torch import Tensor, nn

from netwright.errors import NetwrightError


class FiniteGuard:
    """Lets an update happen only when loss and gradients are finite.

    A step that is not finite changes nothing: its update is left out, and the buffers that its forward wrote (running
    statistics) are put back.

    Args:
        max_in_a_row: Bad steps in a row before the training is given up.
    """

    def __init__(self, model: nn.Module, max_in_a_row: int) -> None:
        self.max_in_a_row = max_in_a_row
        self.in_a_row = 0
        self._holders = [
            (module, name)
            for module in model.modules()
            for name, buffer in module.named_buffers(recurse=False)
            if buffer is not None
        ]
        self._kept = [buffer.detach().clone() for buffer in self._buffers()]

    def keep(self) -> None:
        """Remember the buffers, before a step."""
        if self._kept:
            torch._foreach_copy_(self._kept, self._buffers())

    def put_back(self) -> None:
        """Give the model the buffers that were kept."""
        if self._kept:
            torch._foreach_copy_(self._buffers(), self._kept)

    def accepts(self, loss: Tensor, gradient_norm: Tensor) -> bool:
        """Whether the update may happen; otherwise the buffers are as before the step.

        Raises:
            NetwrightError: Too many steps in a row were bad.
        """
        loss_value, norm_value = torch.stack((loss.detach().double(), gradient_norm.double())).tolist()
        if math.isfinite(loss_value) and math.isfinite(norm_value):
            self.in_a_row = 0
            return True
        self.put_back()
        self.in_a_row += 1
        if self.in_a_row >= self.max_in_a_row:
            raise NetwrightError(
                f"training given up: {self.in_a_row} steps in a row were not finite",
                why=f"the loss is {loss_value:g} and the norm of the gradients {norm_value:g}; "
                "the model keeps the weights of its last good step",
                remedy="lower train.optimizer.lr, set train.gradient_clip, or look for such numbers in the data",
            )
        return False

    def _buffers(self) -> list[Tensor]:
        return [getattr(module, name) for module, name in self._holders]
