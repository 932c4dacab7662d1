"""Tracing: labels pass the operators of real architectures, so that what is cut is what the model can do without."""

import copy
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_pruning.equality import check_equality
from netwright_pruning.groups import ChannelGroup, trace
from netwright_pruning.surgery import Surgeon


def groups_of(model: nn.Module, inputs: Inputs) -> dict[str, ChannelGroup]:
    return trace(model, inputs).groups


def half_of_every_group(model: nn.Module, inputs: Inputs) -> dict[str, list[int]]:
    groups = groups_of(model, inputs)
    return {
        name: [channel for unit in range(0, group.units - 1, 2) for channel in group.channels_of(unit)]
        for name, group in groups.items()
        if group.units > 1
    }


def images(size: int) -> Inputs:
    return Inputs((torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)),))


def attention(heads: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return timm.models.vision_transformer.Attention(32, num_heads=heads, qkv_bias=True)


def test_heads_go_as_a_whole() -> None:
    model = nn.Sequential(attention(), nn.Linear(32, 3))
    inputs = Inputs((torch.rand(2, 5, 32),))
    (heads,) = [group for group in groups_of(model, inputs).values() if group.name == "0.qkv"]
    assert (heads.channels, heads.units) == (96, 4)
    assert heads.channels_of(1) == tuple(part * 32 + 8 + dim for part in range(3) for dim in range(8))
    cuts = {"0.qkv": [*heads.channels_of(1), *heads.channels_of(2)]}
    assert check_equality(model, inputs, trace(model, inputs), cuts, seed=0).verdict == "equal"
    assert Surgeon(model, inputs).remove_each(cuts) == []
    assert model.get_submodule("0").num_heads == 2


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 3, groups=8), nn.Conv2d(16, 4, 1)],
        [nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 3, groups=4), nn.Conv2d(16, 4, 1)],
        [nn.Conv2d(3, 8, 3), nn.ConvTranspose2d(8, 16, 3), nn.Conv2d(16, 4, 1)],
        [nn.Conv2d(3, 16, 3), nn.PixelShuffle(2), nn.Conv2d(4, 4, 1)],
        [nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.PReLU(8), nn.Conv2d(8, 4, 1)],
        [nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4)],
        [nn.Conv2d(3, 8, 3), nn.MaxPool2d(2), nn.Unfold(2), nn.Flatten(), nn.LazyLinear(4)],
        [nn.Conv2d(3, 8, 3), nn.ChannelShuffle(2), nn.Conv2d(8, 4, 1)],
    ],
)
def test_what_is_cut_is_what_goes(layers: list[nn.Module]) -> None:
    torch.manual_seed(0)
    model, inputs = nn.Sequential(*layers), images(8)
    model(*inputs.args)
    cuts = half_of_every_group(model, inputs)
    assert cuts
    assert check_equality(model, inputs, trace(model, inputs), cuts, seed=0).verdict == "equal"
    assert Surgeon(model, inputs).remove_all(cuts)


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("deit_tiny_patch16_224", {"img_size": 32, "depth": 2}, 32),
        ("swin_tiny_patch4_window7_224", {"img_size": 56, "depths": (1, 1, 1, 1)}, 56),
        ("pvt_v2_b0", {"depths": (1, 1, 1, 1)}, 64),
        ("convnext_atto", {"depths": (1, 1, 1, 1)}, 32),
    ],
)
@pytest.mark.slow
def test_architectures_keep_their_numbers(name: str, options: dict[str, Any], size: int) -> None:
    torch.manual_seed(0)
    model, inputs = timm.create_model(name, **options).eval(), images(size)
    graph = trace(model, inputs)
    cuts = half_of_every_group(model, inputs)
    for fault in Surgeon(copy.deepcopy(model), inputs, graph).remove_each(cuts):
        del cuts[fault.group]
    assert len(cuts) >= 4
    assert check_equality(model, inputs, graph, cuts, seed=0).verdict == "equal"


def test_widths_that_the_code_takes_for_one_go_together() -> None:
    class Square(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(16, 16)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.inner(x).reshape(len(x), 2, x.shape[1] // 2).flatten(1)
            return outputs

    model = nn.Sequential(nn.Linear(16, 16), Square(), nn.Linear(16, 3))
    inputs = Inputs((torch.rand(2, 16),))
    assert len(trace(model, inputs).groups) == 2
    graph = trace(model, inputs, coupled=["1"])
    assert list(graph.groups) == ["0"]
    (group,) = graph.groups.values()
    cuts = {"0": list(group.channels_of(0))}
    assert check_equality(model, inputs, graph, cuts, seed=0).verdict == "equal"


def test_an_operator_without_a_rule_holds_what_reaches_it() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.head = nn.Linear(16, 8), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.head(torch.linalg.pinv(self.first(x)).T)
            return outputs

    graph = trace(Odd(), Inputs((torch.rand(4, 16),)))
    assert graph.groups == {}
    assert graph.held["first"][0] == ""
    assert "svd" in graph.held["first"][1] or "pinv" in graph.held["first"][1]
