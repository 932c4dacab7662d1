"""Arguments in structure texts as values."""

import pytest

from netwright_predictor.structure.arguments import Value, named_arguments


@pytest.mark.parametrize(
    ("class_name", "text", "values"),
    [
        ("Linear", "in_features=4, out_features=8, bias=True", {"in_features": 4, "out_features": 8, "bias": True}),
        ("LayerNorm", "(768,), eps=1e-05", {"normalized_shape": (768,), "eps": 1e-05}),
        ("LlamaRMSNorm", "(4096,), eps=1e-06, weight=Parameter(4096)", {"eps": 1e-06, "weight": (4096,)}),
        ("Experts", "up=Parameter(8, 4, 2), scale=Parameter()", {"up": (8, 4, 2), "scale": ()}),
        ("Conv2d", "3, 768, kernel_size=(16, 16)", {"in_channels": 3, "out_channels": 768, "kernel_size": (16, 16)}),
        ("Attention", "layer_type='a, b', sliding_window=None", {"layer_type": "a, b", "sliding_window": None}),
        ("Act", "approximate=tanh\nother=[1, 2]", {"approximate": "tanh", "other": [1, 2]}),
        ("Odd", "=, ((, a='", {}),
    ],
)
def test_arguments_have_names_and_values(class_name: str, text: str, values: dict[str, Value]) -> None:
    assert named_arguments(class_name, text) == values
