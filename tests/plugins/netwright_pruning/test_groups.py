"""Channel groups: what can only be removed together, and what cannot be removed at all."""

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright.errors import NetwrightError
from netwright_pruning.groups import ChannelGroup, prunable_groups, trace
from netwright_pruning.ranking import Ranking, ScoredGroup, score_units


class Block(nn.Module):
    """Attention whose projections are one layer, and an MLP: their weights are of the same kinds in the same order."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads, self.head_dim = 4, 8
        self.qkv, self.project = nn.Linear(32, 96), nn.Linear(32, 32)
        self.enlarge, self.shrink = nn.Linear(32, 64), nn.Linear(64, 32)

    def forward(self, x: Tensor) -> Tensor:
        split = self.qkv(x).reshape(*x.shape[:2], 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        weights = (query @ key.transpose(-2, -1) * self.head_dim**-0.5).softmax(-1)
        x = x + self.project((weights @ value).transpose(1, 2).reshape(*x.shape[:2], -1))
        outputs: Tensor = x + self.shrink(torch.relu(self.enlarge(x)))
        return outputs


def groups_of(model: nn.Module, inputs: Inputs) -> dict[str, ChannelGroup]:
    return {group.name: group for group, _ in prunable_groups(trace(model, inputs))}


def test_layers_that_are_added_up_form_one_group_and_the_classifier_none(residual: nn.Module, images: Inputs) -> None:
    groups = groups_of(residual, images)
    assert {group.channels for group in groups.values()} == {32, 48}
    assert len(groups) == 3
    assert "head" not in groups


def test_a_trace_takes_frozen_weights_too(residual: nn.Module, images: Inputs) -> None:
    residual.requires_grad_(False)
    assert len(groups_of(residual, images)) == 3


def test_blocks_of_one_structure_have_one_pattern(residual: nn.Module, images: Inputs) -> None:
    groups = groups_of(residual, images)
    assert groups["inner1"].pattern == groups["inner2"].pattern
    stream = next(group for group in groups.values() if group.channels == 32)
    assert stream.pattern != groups["inner1"].pattern


def test_grouped_convolutions_fall_into_blocks() -> None:
    model = nn.Sequential(nn.Conv2d(3, 24, 1), nn.Conv2d(24, 48, 3, groups=4), nn.Flatten(), nn.LazyLinear(5))
    inputs = Inputs((torch.rand(1, 3, 4, 4),))
    model(*inputs.args)
    assert {name: (group.blocks, group.units) for name, group in groups_of(model, inputs).items()} == {
        "0": (4, 6),
        "1": (4, 12),
    }


def test_inputs_by_keyword_and_nested_outputs_are_followed() -> None:
    class Nested(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(4, 16)
            self.head = nn.Linear(16, 3)

        def forward(self, *, values: Tensor) -> dict[str, list[Tensor]]:
            return {"scores": [self.head(torch.relu(self.hidden(values)))]}

    assert list(groups_of(Nested(), Inputs(kwargs={"values": torch.rand(2, 4)}))) == ["hidden"]


@pytest.mark.parametrize("model", [nn.Flatten(), nn.Conv2d(3, 8, 99)])
def test_what_cannot_be_followed_is_refused(model: nn.Module, images: Inputs) -> None:
    with pytest.raises(NetwrightError, match=rf"layers of {type(model).__name__} cannot be followed"):
        trace(model, images)


def test_heads_are_not_ranked_with_hidden_units() -> None:
    model = nn.Sequential(nn.Linear(16, 32), Block(), Block(), nn.Linear(32, 5))
    groups = groups_of(model, Inputs((torch.rand(2, 6, 16),)))
    assert (groups["1.qkv"].units, groups["1.enlarge"].units) == (4, 64)
    assert groups["1.qkv"].pattern == groups["2.qkv"].pattern
    assert groups["1.enlarge"].pattern == groups["2.enlarge"].pattern
    assert groups["1.qkv"].pattern != groups["1.enlarge"].pattern

    def scored(group: ChannelGroup, least: float) -> ScoredGroup:
        scores = torch.ones(group.channels)
        for unit in range(group.units - 1):
            scores[list(group.channels_of(unit))] = least
        return score_units(group, scores, 1)

    names = [f"{block}.{layer}" for block in (1, 2) for layer in ("qkv", "enlarge")]
    found = [scored(groups[name], 0.1 if name.endswith("qkv") else 1.0) for name in names]
    widths = Ranking(found, isomorphic=True).widths(0.5)
    assert widths == {"1.qkv": 2, "1.enlarge": 32, "2.qkv": 2, "2.enlarge": 32}
