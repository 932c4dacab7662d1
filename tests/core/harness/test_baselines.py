"""Tests of finding variants by name."""

from collections.abc import Callable

import pytest

from netwright.errors import MissingDependencyError, UserError
from netwright.harness import EAGER
from netwright.harness.baselines import baseline_variant, named_variant
from netwright.registry import Registry

PLUGIN = """
from netwright import hookimpl
from netwright.specs import BaselineSpec

@hookimpl
def netwright_baselines():
    return [BaselineSpec(name="mine", summary="", target="inline:mine", group="execution"),
            BaselineSpec(name="lacking", summary="", target="inline:mine", group="execution", requires=("no_such",))]
"""


def test_a_registered_baseline_becomes_a_variant(register_plugin: Callable[..., Registry]) -> None:
    register_plugin(PLUGIN)
    variant = baseline_variant("mine", {"width": 3})
    assert (variant.label, variant.target, variant.options) == ("mine", "inline:mine", {"width": 3})
    with pytest.raises(MissingDependencyError, match="pip install 'no_such'"):
        baseline_variant("lacking")


def test_a_variant_is_named_by_target_by_baseline_or_not_at_all() -> None:
    assert named_variant(None) is EAGER
    assert named_variant(f"{__file__}:fused").label == "fused"
    assert named_variant("torch_compile").target == "netwright_execution.baselines:torch_compile"


def test_other_names_are_the_users_error() -> None:
    with pytest.raises(UserError, match="no baseline named 'nothing_like_it'"):
        named_variant("nothing_like_it")
    with pytest.raises(UserError, match=r"there is no file nowhere\.py"):
        named_variant("nowhere.py:fused")
    with pytest.raises(UserError, match="makes no variant"):
        baseline_variant("magnitude_l1")
