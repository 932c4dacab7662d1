"""What a language model costs, from its configuration alone: formulas, each held against a count."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright_predictor.agent import PredictorAgent
    from netwright_predictor.api import predict
    from netwright_predictor.config import PredictorConfig
    from netwright_predictor.populate_parameters_agent import PopulateParametersAgent
    from netwright_predictor.prediction import Prediction
    from netwright_predictor.tracing.sizes import Sizes

_HOMES = {
    "PopulateParametersAgent": "populate_parameters_agent",
    "Prediction": "prediction",
    "PredictorAgent": "agent",
    "PredictorConfig": "config",
    "Sizes": "tracing.sizes",
    "predict": "api",
}

__all__ = ["PopulateParametersAgent", "Prediction", "PredictorAgent", "PredictorConfig", "Sizes", "predict"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'netwright_predictor' has no attribute '{name}'")
    return getattr(import_module(f"netwright_predictor.{_HOMES[name]}"), name)
