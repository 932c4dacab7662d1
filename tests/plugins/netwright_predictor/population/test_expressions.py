"""Expressions over a model's description."""

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright_predictor.population.expressions import Described, ExpressionError
from netwright_predictor.structure import parse_structure, read_architecture

STRUCTURE = """M(
  (model): x.Model(
    (layers): torch.nn.modules.container.ModuleList(
      (0-3): 4 x x.Layer(
        (proj): torch.nn.modules.linear.Linear(in_features=8, out_features=24, bias=False)
        (experts): x.Experts(up=Parameter(2, 8, 16))
      )
    )
  )
)"""
DESCRIBED = Described(
    config={"hidden_size": 8, "text_config": {"heads": 4, "widths": [1, 2, 3], "none": None}, "name": "m"},
    runtime_parameters={"B": 2},
    parameters={"head_dim": 6},
    structure=parse_structure(STRUCTURE),
    architecture=read_architecture(
        {"model_id": "m", "layers": [{"name": "decoder_layer", "class": "x.Layer", "repeat": 4}]}
    ),
)


@pytest.mark.parametrize(
    ("text", "value", "paths"),
    [
        ("hidden_size", 8, ("hidden_size",)),
        ("config.hidden_size", 8, ("hidden_size",)),
        ("config['text_config']['heads']", 4, ("config['text_config']['heads']",)),
        ("text_config.heads", 4, ("text_config.heads",)),
        ("text_config.widths[1]", 2, ("text_config.widths[1]",)),
        ("sum(text_config.widths) + len(text_config.widths)", 9, ("text_config.widths",)),
        ("hidden_size // text_config.heads", 2, ("hidden_size", "text_config.heads")),
        ("-(hidden_size - 3 * runtime_parameters.B) % 5", 3, ("hidden_size", "runtime_parameters.B")),
        ("parameters.head_dim", 6, ("parameters.head_dim",)),
        ("head_dim * 2", 12, ("head_dim",)),
        ("structure['model.layers.0-3.proj'].out_features", 24, ("structure['model.layers.0-3.proj'].out_features",)),
        ("structure['model.layers.2.proj'].in_features", 8, ("structure['model.layers.2.proj'].in_features",)),
        ("structure['model.layers.2.experts'].up[2]", 16, ("structure['model.layers.2.experts'].up[2]",)),
        ("model.layers.0-3.proj.out_features", 24, ("model.layers.0-3.proj.out_features",)),
        ("structure['model.layers.0-3'].repeat", 4, ("structure['model.layers.0-3'].repeat",)),
        ("architecture['decoder_layer'].repeat", 4, ("architecture['decoder_layer'].repeat",)),
        ("config.name", "m", ("name",)),
        ("2 + 3", 5, ()),
    ],
)
def test_values_and_paths(text: str, value: object, paths: tuple[str, ...]) -> None:
    evaluated = DESCRIBED.evaluate(text)
    assert evaluated.value == value
    assert evaluated.paths == paths


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config.width", "there is no 'config.width': 'width' is not there"),
        ("text_config.widths[9]", "there is no 'text_config.widths[9]'"),
        ("text_config.none", "'text_config.none' has no value"),
        ("structure['model.layers.9.proj'].out_features", "'out_features' is not there"),
        ("structure['model'].repeat.real", "'real' is not there"),
        ("hidden_size // 0", "cannot be computed"),
        ("hidden_size * name", "'name' is no number"),
        ("-text_config.widths", "'text_config.widths' is no number"),
        ("min(hidden_size)", "cannot be computed"),
        ("hidden_size ** 2", "is not allowed"),
        ("__import__('os').system('true')", "is not allowed"),
        ("config.__class__", "there is no 'config.__class__'"),
        ("[each for each in config]", "is not allowed"),
        ("", "is neither a path nor a formula"),
        ("the hidden size", "is neither a path nor a formula"),
        ("1+" * 300 + "1", "it is longer than 500 letters"),
    ],
)
def test_what_has_no_value_says_why(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(message)):
        DESCRIBED.evaluate(text)


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_no_text_does_anything_but_evaluate(text: str) -> None:
    with suppress(ExpressionError):
        DESCRIBED.evaluate(text)


numbers: st.SearchStrategy[Any] = st.recursive(
    st.integers(0, 50).map(str),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%", "/"]), inner).map(
        "({0[0]} {0[1]} {0[2]})".format
    ),
    max_leaves=6,
)


@settings(max_examples=100)
@given(numbers)
def test_arithmetic_is_pythons(text: str) -> None:
    try:
        expected = eval(text, {"__builtins__": {}})
    except ZeroDivisionError:
        with pytest.raises(ExpressionError):
            DESCRIBED.evaluate(text)
        return
    assert DESCRIBED.evaluate(text).value == expected
