"""What the Python API offers beside agents: costs, metrics of one's own, timing, short model names."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright_pruning.utils.metrics import compute_macs, compute_metric, compute_params, register_metric
    from netwright_pruning.utils.models import infer_inputs, model_case
    from netwright_pruning.utils.timing import TimingProfiler

_HOMES = {
    "TimingProfiler": "timing",
    "compute_macs": "metrics",
    "compute_metric": "metrics",
    "compute_params": "metrics",
    "infer_inputs": "models",
    "model_case": "models",
    "register_metric": "metrics",
}

__all__ = [
    "TimingProfiler",
    "compute_macs",
    "compute_metric",
    "compute_params",
    "infer_inputs",
    "model_case",
    "register_metric",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
