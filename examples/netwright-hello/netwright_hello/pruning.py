"""A baseline of group "pruning": it scores channels, and netwright's engine does the rest."""

import torch
from torch import Tensor, nn

from netwright_pruning import BasePruningMethod, Importance


class BatchNormScale(BasePruningMethod):
    """The absolute BatchNorm scale of a channel (Liu et al., "Network Slimming", ICCV 2017)."""

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - nothing is random here
        """The mean scale over the group's BatchNorm layers; None for a group without any."""

        def score(group: list[tuple[object, list[int]]]) -> Tensor | None:
            scales = [
                layer.weight.detach().abs()[channels]
                for dependency, channels in group
                if isinstance(layer := getattr(dependency, "layer", None), nn.BatchNorm2d)
            ]
            return torch.stack(scales).mean(0) if scales else None

        return score
