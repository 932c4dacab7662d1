"""What the plugin registers, and what its package exports."""

import pytest

import netwright_pruning
from netwright.registry import registry
from netwright.specs import BaselineSpec
from netwright_pruning import BasePruningMethod

BASELINES = ["random", "magnitude_l1", "magnitude_l2", "taylor", "isomorphic", "multi_agent"]


def test_the_agent_compares_pruning_baselines() -> None:
    spec = registry().agent("pruner")
    assert spec.baseline_groups == ("pruning",)
    assert spec.default_baselines == ("magnitude_l2",)
    assert spec.default_case == "digits_cnn"


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_is_a_pruning_method(name: str) -> None:
    spec = registry().spec("baseline", name)
    assert isinstance(spec, BaselineSpec)
    assert spec.group == "pruning"
    target = registry().load("baseline", name)
    assert isinstance(target, type)
    assert issubclass(target, BasePruningMethod)


@pytest.mark.parametrize("name", netwright_pruning.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    assert getattr(netwright_pruning, name) is not None


def test_another_name_is_not() -> None:
    with pytest.raises(AttributeError, match="Prunner"):
        netwright_pruning.Prunner  # noqa: B018
