"""Dependencies between layers."""

import pytest
from torch import nn

from netwright.cases import Inputs
from netwright.errors import UserError
from netwright_pruning.core import DependencyAnalyzer


def test_layers_that_share_a_residual_stream_are_coupled(residual: nn.Module, images: Inputs) -> None:
    analyzer = DependencyAnalyzer(residual, images)
    coupled = analyzer.get_coupled_layers("stem")
    assert set(coupled) == {"stem_norm", "outer1", "outer2", "depthwise", "norm"}
    assert analyzer.get_coupled_layers("inner1") == []
    assert set(analyzer.get_coupled_layers("outer2")) == (set(coupled) | {"stem"}) - {"outer2"}


def test_the_graph_has_those_that_read_the_channels_too(residual: nn.Module, images: Inputs) -> None:
    graph = DependencyAnalyzer(residual, images).get_dependency_graph()
    assert graph["inner1"] == ["outer1"]
    assert {"inner1", "inner2", "head", "norm"} <= set(graph["stem"])
    assert graph["head"] == []  # its classes are the model's output


def test_constraints_are_sentences(residual: nn.Module, images: Inputs) -> None:
    constraints = DependencyAnalyzer(residual, images).get_coupling_constraints()
    assert any("'outer1'" in text and "lose the same channels (32 of 'stem')" in text for text in constraints)
    assert any(text.startswith("'head' keeps all its channels") for text in constraints)


def test_the_input_is_found_where_none_is_given(residual: nn.Module) -> None:
    assert DependencyAnalyzer(residual).get_coupled_layers("inner2") == []


def test_the_model_is_left_as_it_is(residual: nn.Module, images: Inputs) -> None:
    residual.train()
    DependencyAnalyzer(residual, images).get_dependency_graph()
    assert residual.training
    assert residual.stem.out_channels == 32  # type: ignore[union-attr]


def test_an_unknown_layer_is_said(residual: nn.Module, images: Inputs) -> None:
    with pytest.raises(UserError, match="no layer named 'iner1'; did you mean 'inner1'"):
        DependencyAnalyzer(residual, images).get_coupled_layers("iner1")


def test_a_model_of_unknown_input_is_said() -> None:
    class Odd(nn.Module):
        def forward(self, x: object) -> object:
            return x

    with pytest.raises(UserError, match="give the shape of its input"):
        DependencyAnalyzer(Odd())
