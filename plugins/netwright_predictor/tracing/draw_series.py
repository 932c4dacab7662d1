"""Series as a model takes them: values over time, and the steps of an agent."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from netwright_predictor.tracing.scene import Scene, first

STEPS = 20
"""Steps of an agent that are remembered."""


def past(scene: Scene) -> Tensor:
    """Earlier values, (batch, times), with channels after them where there are several."""
    channels = first(scene.config, "num_input_channels") or first(scene.config, "input_size")
    several = hasattr(scene.config, "num_input_channels") or (channels or 1) > 1
    return torch.zeros(scene.batch, _times(scene), *([channels] if several else []))


def times(scene: Scene) -> Tensor:
    """What is known about each time."""
    return torch.zeros(scene.batch, _times(scene), first(scene.config, "num_time_features") or 0)


def observed(scene: Scene) -> Tensor:
    """No value is missing."""
    return torch.ones_like(past(scene))


def not_padded(scene: Scene) -> Tensor:
    """No value was filled in."""
    return torch.zeros(scene.batch, _times(scene), dtype=torch.long)


def frequency(scene: Scene) -> Tensor:
    """How often values come: the highest class."""
    return torch.zeros(scene.batch, 1, dtype=torch.long)


def states(scene: Scene) -> Tensor:
    """What an agent saw."""
    return torch.zeros(scene.batch, STEPS, scene.config.state_dim)


def actions(scene: Scene) -> Tensor:
    """What it did."""
    return torch.zeros(scene.batch, STEPS, scene.config.act_dim)


def rewards(scene: Scene) -> Tensor:
    """What it got for that."""
    return torch.zeros(scene.batch, STEPS, 1)


def timesteps(scene: Scene) -> Tensor:
    """When that was."""
    return torch.zeros(scene.batch, STEPS, dtype=torch.long)


SERIES: Mapping[str, Callable[[Scene], Tensor]] = {
    "past_values": past,
    "past_time_features": times,
    "past_observed_mask": observed,
    "past_values_padding": not_padded,
    "freq": frequency,
    "states": states,
    "actions": actions,
    "rewards": rewards,
    "returns_to_go": rewards,
    "timesteps": timesteps,
}
"""How each input of a series is drawn, by its name."""


def _times(scene: Scene) -> int:
    """As many values as a model was made for, and those that it looks back at from the first."""
    lags: list[int] = first(scene.config, "lags_sequence") or [0]
    return int(first(scene.config, "context_length") or 0) + max(lags)
