"""Layers that are alike run once, and what they did counts for all."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from netwright_predictor.tracing.likeness import likeness
from netwright_predictor.tracing.repeats import alike_layers, skipped_repeats, spared_modules


class Layer(nn.Module):
    def __init__(self, width: int, layer_idx: int, config: object = None) -> None:
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.linear = nn.Linear(width, width)
        self.runs = torch.zeros(())

    def forward(self, hidden: Tensor) -> Tensor:
        self.runs += 1
        result: Tensor = self.linear(hidden)
        return result


class Types:
    layer_types = ("full_attention", "sliding_attention", "full_attention")


class Stack(nn.Module):
    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, hidden: Tensor) -> Tensor:
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden

    def runs(self) -> list[int]:
        return [int(layer.runs) for layer in self.layers if isinstance(layer, Layer)]


def noted(model: Stack, *shapes: tuple[int, ...]) -> Mapping[nn.Module, nn.Module]:
    found: dict[nn.Module, nn.Module] = {}
    with skipped_repeats(model, found.__setitem__), torch.no_grad():
        for shape in shapes:
            assert model(torch.zeros(shape)).shape == shape
    return found


def test_the_first_of_alike_layers_runs_for_all() -> None:
    model = Stack(*(Layer(4, index) for index in range(3)))
    first, second, third = model.layers
    assert noted(model, (2, 4)) == {second: first, third: first}
    assert model.runs() == [1, 0, 0]


def test_a_layer_that_is_called_again_does_as_much_again() -> None:
    model = Stack(*(Layer(4, index) for index in range(2)))
    first, second = model.layers
    assert noted(model, (2, 4), (2, 4)) == {second: first}
    assert model.runs() == [2, 0]


def test_a_new_shape_runs_again() -> None:
    model = Stack(*(Layer(4, index) for index in range(2)))
    noted(model, (2, 4), (3, 4), (2, 4))
    assert model.runs() == [3, 0]


def test_afterwards_every_layer_runs() -> None:
    model = Stack(*(Layer(4, index) for index in range(2)))
    noted(model, (2, 4))
    model(torch.zeros(2, 4))
    assert model.runs() == [2, 1]


def test_layers_that_only_the_config_tells_apart_are_not_alike() -> None:
    full, sliding, again = (Layer(4, index, Types()) for index in range(3))
    assert likeness(full) == likeness(again) != likeness(sliding)
    model = Stack(full, sliding, again)
    assert alike_layers(model) == ((full, again),)
    assert spared_modules(model) == {again, again.linear}


def test_an_index_tells_no_layers_apart_but_a_setting_does() -> None:
    one, other = Layer(4, 0), Layer(4, 1)
    assert likeness(one) == likeness(other)
    other.scale = 2  # type: ignore[assignment]
    assert likeness(one) != likeness(other)
