"""Recurrent layers lose hidden units and inputs, compute the rest as before, and reload to the same bits."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright.cases.load import load_case
from netwright.cases.module import draw_inputs, prepare_module
from netwright_pruning import Budget, load_method, load_pruned, prune_to_budget, save_pruned

MODEL = """
import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(6, 24)
        self.layer = nn.{kind}(24, 32, {options})
        self.norm = nn.LayerNorm({width})
        self.head = nn.Linear({width}, 4)

    def forward(self, x):
        outputs, _ = self.layer(torch.relu(self.embed(x)))
        return self.head(self.norm(outputs).mean(1))


def get_inputs():
    return [torch.rand(3, 5, 6)]
"""


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {}),
        ("LSTM", {"bidirectional": True, "num_layers": 2}),
        ("LSTM", {"proj_size": 16}),
        ("LSTM", {"bias": False}),
        ("GRU", {"bidirectional": True}),
        ("RNN", {"num_layers": 2}),
    ],
)
def test_they_lose_units_and_inputs(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    width = options.get("proj_size", 32) * (2 if options.get("bidirectional") else 1)
    arguments = ", ".join(f"{key}={value}" for key, value in {"batch_first": True, **options}.items())
    (tmp_path / "reader.py").write_text(MODEL.format(kind=kind, options=arguments, width=width))
    case = load_case(f"script:{tmp_path}/reader.py:Reader")
    model, inputs = prepare_module(case, seed=0).eval(), draw_inputs(case, seed=0)
    pruning = prune_to_budget(model, inputs, Budget("macs", 0.4), load_method("magnitude_l2"), seed=0, round_to=4)
    assert pruning.equality.verdict == "equal"
    assert pruning.budget.within
    assert not pruning.faults
    layer = pruning.model.get_submodule("layer")
    assert isinstance(layer, nn.RNNBase)
    assert layer.input_size < 24
    assert layer.hidden_size < 32
    sizes = {"input_size": layer.input_size, "hidden_size": layer.hidden_size, "proj_size": layer.proj_size}
    fresh = getattr(nn, kind)(**{**options, **{key: size for key, size in sizes.items() if size}}, batch_first=True)
    fresh.load_state_dict(layer.state_dict())
    x = torch.rand(2, 7, layer.input_size)
    with torch.no_grad():
        assert torch.equal(fresh.eval()(x)[0], layer(x)[0])
        save_pruned(pruning.model, tmp_path / "model", case=case.name)
        assert torch.equal(load_pruned(tmp_path / "model")(*inputs.args), pruning.model(*inputs.args))


@pytest.mark.parametrize("name", ["taylor", "hessian", "fpgm", "activation", "lamp", "random", "isomorphic"])
def test_criteria_score_their_units(name: str) -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = nn.LSTM(6, 16, batch_first=True), nn.Linear(16, 3)

        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = self.head(self.layer(x)[0])
            return scores

    torch.manual_seed(0)
    inputs = Inputs((torch.rand(2, 5, 6),))
    pruning = prune_to_budget(
        Reader(), inputs, Budget("parameters", 0.5), load_method(name), seed=0, round_to=1, tolerance=0.1
    )
    assert pruning.equality.verdict == "equal"
    assert pruning.widths["layer"][1] < 64


def test_a_state_that_the_model_makes_of_nothing_keeps_its_width() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.layer, self.head = nn.Linear(6, 8), nn.GRU(8, 16, batch_first=True), nn.Linear(16, 3)

        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = self.head(self.layer(self.embed(x), x.new_zeros(1, len(x), 16))[0])
            return scores

    torch.manual_seed(0)
    inputs, budget = Inputs((torch.rand(2, 5, 6),)), Budget("parameters", 0.8)
    pruning = prune_to_budget(Reader(), inputs, budget, load_method("magnitude_l2"), seed=0, round_to=1, tolerance=0.1)
    assert set(pruning.widths) == {"embed"}
    assert pruning.equality.verdict == "equal"
