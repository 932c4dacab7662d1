"""What the plugin registers, and what its package exports."""

from importlib import import_module

import pytest

import netwright_predictor
from netwright.registry import registry
from netwright_predictor import PredictorAgent


def test_the_agent_is_registered() -> None:
    spec = registry().agent("predictor")
    assert spec.default_case == "hf:llama"
    assert spec.resumable
    assert registry().load("agent", "predictor") is PredictorAgent


@pytest.mark.parametrize("name", netwright_predictor.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    assert getattr(netwright_predictor, name) is not None


def test_the_function_is_not_hidden_by_a_module() -> None:
    import_module("netwright_predictor.api")
    assert callable(netwright_predictor.predict)


def test_another_name_is_not() -> None:
    with pytest.raises(AttributeError, match="Predictr"):
        netwright_predictor.Predictr  # noqa: B018
