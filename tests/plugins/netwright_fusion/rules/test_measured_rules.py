"""Rules that are kept only when measured faster: what they compute, and which layouts outputs have."""

import torch
from torch.nn import functional as F

from netwright_fusion.rules.channels_last import ChannelsLast
from netwright_fusion.rules.parallel_layers import ParallelLayers


def test_channels_last(check):
    x, weight, other = torch.randn(2, 3, 6, 6), torch.randn(4, 3, 3, 3), torch.randn(4, 5, 2, 2)

    def function(x, weight, other):
        y = F.conv_transpose2d(F.conv2d(x, weight).relu(), other)
        return y, y.view(2, -1).sum(1)

    tensors = [each.double() for each in (x, weight, other)]
    graph, _ = check(ChannelsLast(), function, tensors[:1], times=1, weight=tensors[1], other=tensors[2])
    assert graph(tensors[0])[0].is_contiguous()
    check(ChannelsLast(), lambda x, weight: x.cos() * weight, tensors[:1], times=0, weight=tensors[0].clone())


def test_parallel_layers(check):
    x, w, v = torch.randn(2, 5, 4).double(), torch.randn(4, 4).double(), torch.randn(6, 4).double()
    parameters = {"w": w, "v": v, "b": torch.randn(4).double(), "c": torch.randn(6).double()}

    def heads(x, w, v, b, c):
        return F.linear(x, w, b).view(2, 5, 2, 2).transpose(1, 2), F.linear(x, v, c)

    graph, _ = check(ParallelLayers(), heads, [x], times=1, **parameters)
    assert graph(x)[1].is_contiguous()
    check(
        ParallelLayers(),
        lambda x, w, v, b, **_: F.linear(x, w, b).sum() + F.linear(x, v).sum(),
        [x],
        times=0,
        **parameters,
    )


def test_parallel_layers_whose_weights_are_made_on_the_way(check):
    x, w, v = torch.randn(2, 5, 4).double(), torch.randn(6, 4).double(), torch.randn(3, 4).double()

    def heads(x, w, v):
        return F.linear(x, w).relu(), F.linear(x, torch.cat([v * 2, v.cos()], 0))

    check(ParallelLayers(), heads, [x], times=1, w=w, v=v)


def test_parallel_convolutions(check):
    x, w, v = torch.randn(2, 3, 6, 6).double(), torch.randn(4, 3, 3, 3).double(), torch.randn(2, 3, 3, 3).double()

    def branches(x, w, v):
        return torch.cat([F.conv2d(x, w, padding=1), F.conv2d(x, v, padding=1).relu()], 1)

    check(ParallelLayers(), branches, [x], times=1, w=w, v=v)
    check(
        ParallelLayers(), lambda x, w, v: F.conv2d(x, w, padding=1).sum() + F.conv2d(x, v).sum(), [x], times=0, w=w, v=v
    )
