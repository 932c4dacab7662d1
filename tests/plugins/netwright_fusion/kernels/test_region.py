"""Regions: what a kernel may take in, and that a graph with a call in its place computes the same."""

import torch
from torch import nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.kernels.matmul import Matmul
from netwright_fusion.kernels.pointwise import Pointwise
from netwright_fusion.kernels.region import Order, reference_of
from netwright_fusion.kernels.rows import Rows


class Residual(nn.Module):
    """A value that is used inside a chain and outside of it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x):
        """Two chains around a layer that no kernel takes."""
        total = torch.relu(x) + 1
        return torch.tanh(total + self.layer(total)) * 2


def captured(module, *inputs):
    """The graph of a module in eval mode."""
    with torch.no_grad():
        return capture(module.eval(), Inputs(inputs))


def names(nodes):
    """Names of nodes."""
    return [node.name for node in nodes]


def test_a_chain_stops_where_its_call_could_not_stand():
    graph = captured(Residual(), torch.randn(3, 6)).graph
    first, second = Pointwise().sites(graph)
    assert names(first.region.nodes) == ["relu", "add"]
    assert names(first.region.outputs) == ["add"]
    assert names(second.region.nodes) == ["add_1", "tanh", "mul"]
    assert Order(graph.graph).placeable(first.region)


def test_a_region_across_the_layer_is_not_placeable():
    graph = captured(Residual(), torch.randn(3, 6)).graph
    order = Order(graph.graph)
    everything = order.region(node for node in graph.graph.nodes if node.name in ("relu", "add", "add_1", "tanh"))
    assert not order.placeable(everything)


def test_the_reference_computes_what_the_nodes_did():
    module, x = Residual(), torch.randn(3, 6)
    graph = captured(module, x).graph
    site = next(iter(Pointwise().sites(graph)))
    assert torch.equal(reference_of(site.region)(x), torch.relu(x) + 1)


def test_sites_and_sources_are_the_same_every_time():
    texts = []
    for _ in range(2):
        graph = captured(Residual(), torch.randn(3, 6)).graph
        texts.append([Pointwise().build(site).source for site in Pointwise().sites(graph)])
    assert texts[0] == texts[1]
    assert len(texts[0]) == 2


def test_equal_layers_share_a_kernel():
    class Twice(nn.Module):
        def forward(self, x):
            return torch.softmax(x, -1).cumsum(-1), torch.softmax(x * 1.0, -1)

    class Same(nn.Module):
        def forward(self, x, y):
            return torch.softmax(x, -1), torch.softmax(y, -1)

    graph = captured(Same(), torch.randn(3, 6), torch.randn(3, 6)).graph
    calls = [Rows().apply(graph, next(iter(Rows().sites(graph)))) for _ in range(2)]
    assert calls[0] is calls[1]
    graph = captured(Twice(), torch.randn(3, 6)).graph
    found = []
    while site := next(iter(Rows().sites(graph)), None):
        found.append(Rows().apply(graph, site).name)
    assert len(found) == len(set(found)) == 2


def test_a_batch_that_is_as_long_as_a_row_is_not_taken_for_one():
    class Mean(nn.Module):
        def forward(self, x, scale):
            return torch.relu(x * 2) * scale

    graph = captured(Mean(), torch.randn(6, 6), torch.randn(6)).graph
    (site,) = Pointwise().sites(graph)
    source = Pointwise().build(site).source
    assert "scale_pointer + offsets % 6" in source.replace("index", "offsets % 6")
    assert "batch = x.shape[0]" in source


def test_products_in_float32_are_left_to_the_library_unless_they_are_shallow():
    graph = captured(
        nn.Sequential(nn.Linear(128, 8), nn.ReLU(), nn.Linear(8, 16), nn.ReLU()), torch.randn(3, 128)
    ).graph
    assert [names([site.core]) for site in Matmul().sites(graph)] == [["linear_1"]]
    assert len(list(Matmul(everywhere=True).sites(graph))) == 2


def test_what_only_looks_elementwise_is_left_to_pytorch():
    class Odd(nn.Module):
        def forward(self, x):
            bits = (x * 2).view(torch.int32) + 1
            return torch.relu(x).max() + 1, bits, torch.cat([x, x.abs()], 0) * 2

    graph = captured(Odd(), torch.randn(3, 6)).graph
    taken = {name for site in Pointwise().sites(graph) for name in names(site.region.nodes)}
    assert not taken & {"max_1", "max", "view", "view_1"}


def test_double_precision_is_left_to_pytorch():
    class Chain(nn.Module):
        def forward(self, x):
            return torch.tanh(x * 2).softmax(-1)

    graph = captured(Chain(), torch.randn(3, 6, dtype=torch.float64)).graph
    assert list(Pointwise().sites(graph)) == []
    assert list(Rows().sites(graph)) == []
