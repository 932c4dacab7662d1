"""The exponential moving average of a model's weights, which generalises better than those of the last step."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

WARM_UP = 10


class WeightAverage:
    """Follows a model's parameters and running statistics.

    Early steps count more, so that the beginning is forgotten: after n steps the decay is at most (1 + n) / (10 + n),
    as in TensorFlow's `ExponentialMovingAverage`.

    Attributes:
        steps: How many updates it has taken in.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = model
        self.decay = decay
        self.steps = 0
        self._average = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    def update(self) -> None:
        """Take in the model's weights after a step; whole numbers (counters) are taken over as they are."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (WARM_UP + self.steps))
        with torch.no_grad():
            for name, tensor in self.model.state_dict().items():
                if tensor.is_floating_point():
                    self._average[name].lerp_(tensor, 1 - decay)
                else:
                    self._average[name].copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside the block, the model has the averaged weights."""
        own = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        self.model.load_state_dict(self._average)
        try:
            yield
        finally:
            self.model.load_state_dict(own)

    def state(self) -> dict[str, int | dict[str, Tensor]]:
        """What `restore` needs."""
        return {"steps": self.steps, "average": self._average}

    def restore(self, state: Mapping[str, int | dict[str, Tensor]]) -> None:
        """Go back to where `state` was taken."""
        steps, average = state["steps"], state["average"]
        assert isinstance(steps, int)
        assert isinstance(average, dict)
        self.steps = steps
        for name, tensor in average.items():
            self._average[name].copy_(tensor)
