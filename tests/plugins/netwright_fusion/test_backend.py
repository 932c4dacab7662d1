"""The Dynamo backend: rules apply inside a user's program, in training too, and what cannot be rewritten still runs."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn

from netwright_fusion import backend
from netwright_fusion.graph import operator_name


class Summed(nn.Module):
    """A linear layer of which only the sum is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(12, 40)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(x)).sum(dim=-1, keepdim=True)


class Normed(nn.Module):
    """A convolution whose norm can be folded in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(x)))


@pytest.fixture
def rewritten(monkeypatch: pytest.MonkeyPatch) -> list[fx.GraphModule | None]:
    """What the backend made of each graph; it then runs as it is, because Inductor takes its time."""
    seen: list[fx.GraphModule | None] = []

    def compile_fx(graph: fx.GraphModule, _: list[object]) -> Callable[..., object]:
        seen.append(graph)
        return graph

    monkeypatch.setattr("torch._inductor.compile_fx.compile_fx", compile_fx)
    torch._dynamo.reset()
    return seen


def operators(graph: fx.GraphModule | None) -> list[str]:
    assert graph is not None
    return [operator_name(node) for node in graph.graph.nodes if node.op == "call_function"]


def test_gradients_are_the_same(rewritten: list[fx.GraphModule | None]) -> None:
    torch.manual_seed(0)
    own = Summed()
    other = copy.deepcopy(own)
    x = torch.randn(5, 12)
    torch.compile(other, backend="netwright")(x).square().sum().backward()
    own(x).square().sum().backward()
    names = operators(rewritten[0])
    assert names.index("linear") > names.index("sum")
    for mine, theirs in zip(own.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_another_batch_size_is_right_too(rewritten: list[fx.GraphModule | None]) -> None:
    own = Summed()
    compiled = torch.compile(own, backend="netwright")
    for batch in (3, 8, 13):
        x = torch.randn(batch, 12)
        torch.testing.assert_close(compiled(x), own(x))


def test_a_norm_is_folded_only_where_weights_are_frozen(rewritten: list[fx.GraphModule | None]) -> None:
    torch.manual_seed(0)
    module = Normed().eval()
    module.norm.running_mean.normal_()
    x = torch.randn(2, 3, 8, 8)
    torch.compile(module, backend="netwright")(x)
    assert "batch_norm" in operators_or_names(rewritten[-1])
    frozen = copy.deepcopy(module).requires_grad_(False)
    with torch.no_grad():
        found = torch.compile(frozen, backend="netwright")(x)
        torch.testing.assert_close(found, module(x))
    assert "batch_norm" not in operators(rewritten[-1])


def test_running_statistics_are_updated_in_training(rewritten: list[fx.GraphModule | None]) -> None:
    torch.manual_seed(0)
    own = Normed().train()
    other = copy.deepcopy(own)
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(torch.compile(other, backend="netwright")(x), own(x))
    torch.testing.assert_close(other.norm.running_mean, own.norm.running_mean)
    assert other.norm.num_batches_tracked == 1


def test_frozen_weights_may_still_be_changed(rewritten: list[fx.GraphModule | None]) -> None:
    module = Normed().eval().requires_grad_(False)
    compiled = torch.compile(module, backend="netwright")
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        compiled(x)
        module.norm.running_var.mul_(3)
        module.conv.weight.add_(1)
        torch.testing.assert_close(compiled(x), module(x))


def test_a_graph_that_cannot_be_rewritten_runs_as_it_is(
    rewritten: list[fx.GraphModule | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(backend, "apply_rules", fail)
    own = Summed()
    x = torch.randn(4, 12)
    torch.testing.assert_close(torch.compile(own, backend="netwright")(x), own(x))


@pytest.mark.slow
def test_inductor_takes_the_rest() -> None:
    torch._dynamo.reset()
    own = Summed()
    x = torch.randn(4, 12)
    torch.testing.assert_close(torch.compile(own, backend="netwright")(x), own(x))


def operators_or_names(graph: fx.GraphModule | None) -> str:
    """The text of a graph, for one that was left in torch's own functions."""
    assert graph is not None
    return str(graph.graph)
