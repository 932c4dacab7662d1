"""In-place operators made plain where nothing else sees the memory."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.functional import memory_of
from netwright_fusion.graph import nodes, operator_name


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _chain(x: Tensor) -> Tensor:
    h = F.relu_(x * 2)
    h += x
    h.clamp_(max=1).mul_(3)
    return h + h.sum()


def _seen_through_a_view(x: Tensor) -> Tensor:
    h = x * 2
    row = h[0]
    h.add_(1)
    return h + row


def _writes_to_a_view(x: Tensor) -> Tensor:
    h = x * 2
    h.view(-1).mul_(3)
    return h


def _changes_type(x: Tensor) -> Tensor:
    h = (x > 0).to(torch.float32)
    h.copy_(x.double())
    return h.add_(x.to(torch.float64))


def _constant(x: Tensor) -> Tensor:
    c = torch.tensor([1.0, 2.0, 3.0, 4.0])
    c += 1
    c.mul_(2)
    return x * c


def _row_of_a_constant(x: Tensor) -> Tensor:
    c = torch.tensor([[1.0], [2.0], [3.0]])
    c[0] += 5
    return x + c


@pytest.mark.parametrize(("function", "remaining"), [(_constant, 0), (_row_of_a_constant, 2)])
def test_a_constant_that_is_written_to_is_the_same_in_each_call(
    function: Callable[[Tensor], Tensor], remaining: int
) -> None:
    x = torch.randn(3, 4)
    captured = capture(Function(function), Inputs((x,)))
    assert not captured.mutates
    assert len(captured.in_place) == remaining
    for _ in range(3):
        torch.testing.assert_close(captured.graph(x)[0], function(x), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("function", "remaining"),
    [(_chain, 0), (_seen_through_a_view, 1), (_writes_to_a_view, 1), (_changes_type, 2)],
)
def test_values_stay_and_only_shared_memory_is_written_to(function: Callable[[Tensor], Tensor], remaining: int) -> None:
    inputs = Inputs((torch.randn(3, 4),))
    captured = capture(Function(function), inputs)
    assert len(captured.in_place) == remaining
    in_place = [node for node in captured.graph.graph.nodes if operator_name(node).endswith("_")]
    assert len(in_place) == remaining
    for batch in (3, 5):
        x = torch.randn(batch, 4)
        torch.testing.assert_close(captured.call(Inputs((x.clone(),))), function(x.clone()))


def test_random_draws_in_place_are_the_same_draws() -> None:
    def drop_path(x: Tensor) -> Tensor:
        return x * x.new_empty(x.shape[0], 1).bernoulli_(0.5)

    captured = capture(Function(drop_path), Inputs((torch.randn(64, 4),)))
    assert captured.random
    assert not captured.in_place
    for batch in (64, 65):
        x = torch.randn(batch, 4)
        torch.manual_seed(0)
        expected = drop_path(x)
        torch.manual_seed(0)
        assert torch.equal(captured.call(Inputs((x,))), expected)


def test_the_memory_of_a_view_is_that_of_its_base() -> None:
    captured = capture(Function(lambda x: (x * 2).view(-1).unsqueeze(0)), Inputs((torch.randn(3, 4),)))
    (product,), (last,) = nodes(captured.graph, torch.ops.aten.mul), nodes(captured.graph, torch.ops.aten.unsqueeze)
    assert memory_of(last) is product


def test_gradients_stop_where_the_original_stops_them() -> None:
    def stop(x: Tensor) -> Tensor:
        with torch.no_grad():
            scale = x * 2
        return x * scale

    captured = capture(Function(stop), Inputs((torch.randn(3),)))
    x = torch.randn(3, requires_grad=True)
    captured.call(Inputs((x,))).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, 2 * x.detach())


class Twice(nn.Module):
    """One layer of normalisation, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.norm(x) * 2)
        return y


def test_a_buffer_that_is_written_twice_is_written_as_itself() -> None:
    captured = capture(Twice(), Inputs((torch.randn(6, 4),)))
    assert captured.in_place == ()
    captured.call(Inputs((torch.randn(6, 4),)))
    assert captured.graph.norm.num_batches_tracked == 2
