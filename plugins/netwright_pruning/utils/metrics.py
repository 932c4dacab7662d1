"""What a model costs, and metrics of the user's own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from netwright.cases import Inputs
from netwright.cost import count_cost, count_parameters
from netwright.errors import UserError, unknown_name

Metric = Callable[[nn.Module, Mapping[str, Any]], float]
"""Takes a model and what is known of its dataset (`name`, `num_classes`, `input_shape`, ...)."""

MetricT = TypeVar("MetricT", bound=Callable[..., Any])

_metrics: dict[str, Callable[..., Any]] = {}


def compute_macs(model: nn.Module, input_shape: Sequence[int]) -> float:
    """Multiply-accumulate operations of one forward in eval mode; the model ends in the modes in which it came.

    Args:
        input_shape: Of the only input, batch first, e.g. (1, 3, 224, 224).

    Raises:
        NetwrightError: The model does not take such an input.
    """
    modes = [(module, module.training) for module in model.modules()]
    like = next((tensor for tensor in model.parameters() if tensor.is_floating_point()), torch.zeros(()))
    model.eval()
    try:
        return float(count_cost(model, Inputs((torch.zeros(tuple(input_shape)).to(like),))).macs)
    finally:
        for module, training in modes:
            module.training = training


def compute_params(model: nn.Module) -> int:
    """Elements of all parameters, those that share memory counted once."""
    return count_parameters(model)


def register_metric(name: str) -> Callable[[MetricT], MetricT]:
    """Register the decorated function, `(model, dataset_info) -> number`, as a metric of that name for this process.

    A function that is defined again (in a notebook's cell) takes its own place.

    Raises:
        UserError: Another function has that name.
    """

    def register(function: MetricT) -> MetricT:
        known = _metrics.get(name)
        if known is not None and _origin(known) != _origin(function):
            raise UserError(f"there is a metric '{name}' already", why=f"it is {_origin(known)}")
        _metrics[name] = function
        return function

    return register


def compute_metric(name: str, model: nn.Module, dataset_info: Mapping[str, Any]) -> float:
    """The value of a metric that `register_metric` registered.

    Raises:
        UserError: There is no such metric (the nearest is shown), or it returns no number.
    """
    if name not in _metrics:
        raise unknown_name("custom metric", name, _metrics)
    value = _metrics[name](model, dataset_info)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UserError(f"metric '{name}' returned {value!r}", why="a metric returns a number") from None


def _origin(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(function))}"
