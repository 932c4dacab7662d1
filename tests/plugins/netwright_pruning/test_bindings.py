"""Attributes that mirror widths follow the right one of several that are equal."""

import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_pruning.survey import Survey


class Attention(nn.Module):
    """Four heads that are together as wide as what comes in, and a number of its own for that width."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads, self.head_dim, self.attn_dim = 4, 8, 32
        self.qkv, self.proj = nn.Linear(32, 96), nn.Linear(32, 6)

    def forward(self, x: Tensor) -> Tensor:
        split = self.qkv(x).reshape(*x.shape[:2], 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        mixed = (query @ key.transpose(-2, -1)).softmax(-1) @ value
        outputs: Tensor = self.proj(mixed.transpose(1, 2).reshape(*x.shape[:2], self.attn_dim))
        return outputs


class Doubled(nn.Module):
    """Its stream has every channel twice, so that two of them go at once, as the eight of a head do."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.attn = nn.Linear(5, 16), Attention()

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        outputs: Tensor = self.attn(torch.cat([x, x], -1))
        return outputs


def test_the_width_of_all_heads_is_told_from_that_of_a_stream_with_repeated_channels() -> None:
    survey = Survey(Doubled(), Inputs((torch.rand(2, 7, 5),)), round_to=1)
    assert not survey.faults
    assert {name: group.units for name, group in survey.rehearsal.graph.groups.items()} == {"embed": 16, "attn.qkv": 4}
