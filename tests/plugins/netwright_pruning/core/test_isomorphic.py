"""Isomorphic groups."""

import pytest
from torch import nn

from netwright.cases import Inputs
from netwright.errors import UserError
from netwright_pruning.core import IsomorphicAnalyzer, IsomorphicGroup


def test_blocks_of_one_structure_make_one_group(residual: nn.Module, images: Inputs) -> None:
    groups = IsomorphicAnalyzer(residual, images).create_isomorphic_groups(target_ratio=0.5)
    assert all(isinstance(group, IsomorphicGroup) for group in groups.values())
    inner = next(group for group in groups.values() if "inner1" in group["layers"])
    assert inner.layers == ["inner1", "inner2"]
    assert (inner["kind"], inner["channels"], inner["pruning_ratio"]) == ("convolution", 96, 0.5)
    assert inner.remaining_channels == {"inner1": 24, "inner2": 24}
    stem = next(group for group in groups.values() if "stem" in group.layers)
    assert set(stem.coupled_layers["stem"]) == {"stem_norm", "outer1", "outer2", "depthwise", "norm"}


def test_ratios_by_name_count_more_than_by_kind(residual: nn.Module, images: Inputs) -> None:
    analyzer = IsomorphicAnalyzer(residual, images)
    name = next(name for name, group in analyzer.create_isomorphic_groups(0.5).items() if "inner1" in group.layers)
    groups = analyzer.create_isomorphic_groups(0.5, group_ratios={"convolution": 0.25, name: 0.75})
    assert groups[name].pruning_ratio == 0.75
    assert groups[name].remaining_channels["inner1"] == 12
    assert {group.pruning_ratio for other, group in groups.items() if other != name} == {0.25}


def test_wrong_ratios_are_said(residual: nn.Module, images: Inputs) -> None:
    analyzer = IsomorphicAnalyzer(residual, images)
    with pytest.raises(UserError, match=r"ratio of 'target_ratio' cannot be 1\.0"):
        analyzer.create_isomorphic_groups(1.0)
    with pytest.raises(UserError, match="did you mean 'convolution"):
        analyzer.create_isomorphic_groups(0.5, group_ratios={"convolutoin": 0.2})
