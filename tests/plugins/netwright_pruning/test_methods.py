"""Pruning methods by name, strangers' among them."""

from collections.abc import Callable

import pytest
from torch import nn

from netwright.cases import Inputs
from netwright.errors import NetwrightError, UserError
from netwright.registry import Registry
from netwright_pruning import BasePruningMethod, Budget, load_method, prune_to_budget
from netwright_pruning.baselines import IsomorphicPruning

STRANGER = """
from netwright import hookimpl
from netwright.config import Config
from netwright.specs import BaselineSpec


class ScaleOptions(Config):
    reduction: str = "mean"


def __getattr__(name):
    if name != "ScalePruning":
        raise AttributeError(name)
    from torch_pruning.pruner.importance import BNScaleImportance
    from netwright_pruning import BasePruningMethod

    class ScalePruning(BasePruningMethod):
        def __init__(self, reduction="max"):
            self.reduction = reduction

        def importance(self, *, seed):
            return BNScaleImportance(group_reduction=self.reduction)

    return ScalePruning


@hookimpl
def netwright_baselines():
    return [
        BaselineSpec(name="bn_scale", summary="", target="stranger:ScalePruning", group="pruning",
                     config="stranger:ScaleOptions"),
        BaselineSpec(name="not_a_method", summary="", target="stranger:ScaleOptions", group="pruning"),
        BaselineSpec(name="not_pruning", summary="", target="stranger:ScaleOptions", group="execution"),
    ]
"""

Register = Callable[..., Registry]


def test_options_reach_the_method() -> None:
    method = load_method("isomorphic", {"criterion": "l1"})
    assert isinstance(method, IsomorphicPruning)
    assert method.criterion == "l1"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("isomorphic", {"criterion": "l3"}, "no baseline named 'l3'; known: activation"),
        ("isomorphic", {"kriterion": "l1"}, r"unknown key 'baseline_options\.isomorphic\.kriterion'"),
        ("fpgm", {"batches": 3}, r"'baseline_options\.fpgm' has settings"),
        ("taylor", {"reduction": "median"}, r"'baseline_options\.taylor\.reduction' cannot be 'median'"),
        ("tailor", {}, "did you mean 'taylor'"),
    ],
)
def test_a_wrong_name_or_option_is_said(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_method(name, options)


def test_a_strangers_method_prunes(register_plugin: Register, residual: nn.Module, images: Inputs) -> None:
    register_plugin(STRANGER, "stranger")
    method = load_method("bn_scale", {"reduction": "sum"})
    assert isinstance(method, BasePruningMethod)
    pruning = prune_to_budget(residual, images, Budget("macs", 0.6), method, seed=0, round_to=1, tolerance=0.02)
    assert pruning.budget.within
    assert len(pruning.widths) == 1  # only the stream of the residual blocks has batch normalisation


def test_what_is_no_method_is_refused(register_plugin: Register) -> None:
    register_plugin(STRANGER, "stranger")
    with pytest.raises(NetwrightError, match=r"'not_a_method' cannot prune.*BasePruningMethod"):
        load_method("not_a_method")
    with pytest.raises(UserError, match="'not_pruning' is no pruning method"):
        load_method("not_pruning")
