"""In-place operators made plain where nothing else sees the memory."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.functional import memory_of
from netwright_fusion.graph import nodes, operator_name, written


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


@pytest.mark.parametrize("function", [_constant, _row_of_a_constant])
def test_a_constant_that_is_written_to_is_the_same_in_each_call(function: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(3, 4)
    captured = capture(Function(function), Inputs((x,)))
    assert not captured.mutates
    assert not captured.in_place
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


def _padded_by_hand(x: Tensor) -> Tensor:
    y = x.new_zeros(x.shape[0], 6)
    y[:, 1:-1] = x
    return y * 2


def _shifted(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y[:, 1:] = x[:, :-1]
    y[:, 0] = 5.0
    y[0] += x[1]
    y[1:, 2:].mul_(3)
    return y + x


def _row_by_row(x: Tensor) -> Tensor:
    y = torch.empty(2, 4, x.shape[0], dtype=torch.float64)
    for column in range(4):
        y[0, column] = x[:, column]
        y[1, column, :] = y[0, column] * 2
    return y


def _onto_itself(x: Tensor) -> Tensor:
    y = x * 2
    y[:, 1:] = y[:, :-1]
    return y


@pytest.mark.parametrize("function", [_padded_by_hand, _shifted, _row_by_row])
def test_writing_to_a_part_yields_the_whole(function: Callable[[Tensor], Tensor]) -> None:
    captured = capture(Function(function), Inputs((torch.randn(3, 4),)))
    assert not captured.in_place
    assert not [node for node in captured.graph.graph.nodes if written(node)]
    for batch in (3, 5):
        x = torch.randn(batch, 4)
        torch.testing.assert_close(captured.call(Inputs((x.clone(),))), function(x.clone()), rtol=0, atol=0)


def _read_through_a_view(x: Tensor) -> Tensor:
    y = x * 2
    first = y[:, 0]
    y[:, :2] = 1
    return y + first.unsqueeze(1)


def _written_through_the_result(x: Tensor) -> Tensor:
    y = x * 2
    y[:, :2].add_(1).mul_(x[:, 2:])
    return y


def _one_of_several_views(x: Tensor) -> Tensor:
    y = x * 2
    y.chunk(2, dim=-1)[0].mul_(3)
    y.unbind(1)[3][:2] = 7
    return y + 1


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "at least": torch.atleast_3d,
    "broadcast": lambda h: torch.broadcast_tensors(h, torch.ones(3, 4))[0],
    "channels shuffled": lambda h: F.channel_shuffle(h.reshape(1, 3, 2, 2), 1),
    "chunk": lambda h: h.chunk(2, dim=1)[0],
    "combinations of one": lambda h: torch.cartesian_prod(h.reshape(-1)),
    "diagonal": lambda h: h.diagonal(),
    "dropout": lambda h: F.dropout(h, training=False),
    "dropout of channels": lambda h: F.dropout2d(h.reshape(1, 3, 2, 2), training=False),
    "einsum": lambda h: torch.einsum("ij->ji", h),
    "pixels shuffled": lambda h: F.pixel_shuffle(h.reshape(1, 3, 2, 2), 1),
    "sum to size": lambda h: h.sum_to_size(3, 4),
    "type": lambda h: h.float(),
    "unbind": lambda h: h.unbind(1)[2],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("through", [True, False])
def test_what_may_be_a_view_is_taken_for_one(view: Callable[[Tensor], Tensor], through: bool) -> None:
    def written_to(x: Tensor) -> Tensor:
        y = x * 2
        seen = view(y)
        (seen if through else y).mul_(3)
        return (y if through else seen) + 1

    captured = capture(Function(written_to), Inputs((torch.randn(3, 4),)))
    x = torch.randn(3, 4)
    torch.testing.assert_close(captured.call(Inputs((x,))), written_to(x), rtol=0, atol=0)


def _part_of_an_input(x: Tensor) -> Tensor:
    x[:, :2] = 1
    return x * 2


@pytest.mark.parametrize(
    "function",
    [_read_through_a_view, _written_through_the_result, _one_of_several_views, _part_of_an_input, _onto_itself],
)
def test_parts_that_something_else_sees_are_written_to_as_before(function: Callable[[Tensor], Tensor]) -> None:
    captured = capture(Function(function), Inputs((torch.randn(3, 4),)))
    assert captured.in_place or captured.mutates
    for batch in (3, 5):
        x = torch.randn(batch, 4)
        torch.testing.assert_close(captured.call(Inputs((x.clone(),))), function(x.clone()), rtol=0, atol=0)


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
