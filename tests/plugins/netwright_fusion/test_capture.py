"""Capturing: the graph computes what the module computes, and what cannot be captured is named."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from netwright.cases import Inputs
from netwright.cases.seeding import seeded
from netwright_fusion.capture import Captured, CaptureError, capture
from netwright_fusion.graph import operator_name, shape


class Mixed(nn.Module):
    """Convolution, BatchNorm, dropout, in-place activation, a constant, a keyword, a nested output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.3)
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor, *, shift: Tensor | None = None, flag: bool = True) -> dict[str, object]:
        h = self.drop(self.relu(self.norm(self.conv(x))).mean((2, 3)))
        out = self.fc(h) * torch.tensor([1.0, 2.0])
        with torch.no_grad():
            scale = out.abs()
        out = out + scale if flag else out
        return {"out": out if shift is None else out + shift, "rest": (h, 3, None)}


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> object:
        return self.function(*inputs)


def _same(captured: Captured, module: nn.Module, inputs: Inputs) -> None:
    with seeded(3):
        found = captured.call(inputs)
    with seeded(3):
        expected = module(*inputs.args, **inputs.kwargs)
    left, built = pytree.tree_flatten(found)
    right, expected_built = pytree.tree_flatten(expected)
    assert built == expected_built
    for each, other in zip(left, right, strict=True):
        if isinstance(other, Tensor):
            torch.testing.assert_close(each, other, rtol=0, atol=0)
        else:
            assert each == other


@pytest.mark.parametrize("training", [True, False])
def test_a_graph_computes_what_the_module_computes(training: bool) -> None:
    module = Mixed().train(training)
    inputs = Inputs((torch.randn(4, 3, 8, 8),), {"flag": True, "shift": torch.randn(4, 2)})
    captured = capture(module, inputs)
    assert (captured.training, captured.random, captured.mutates) == (training, training, training)
    assert captured.in_place == ()
    assert not any(operator_name(node).startswith("relu_") for node in captured.graph.graph.nodes)
    assert all("val" in node.meta for node in captured.graph.graph.nodes if node.op != "output")
    _same(captured, module, inputs)
    assert captured.guards == ("x.shape[0] == shift.shape[0]", "x.shape[0] > 1")
    _same(captured, module, Inputs((torch.randn(7, 3, 8, 8),), {"shift": torch.randn(7, 2)}))


def test_parameters_keep_their_names_and_the_batch_is_symbolic() -> None:
    captured = capture(Mixed().eval(), Inputs((torch.randn(4, 3, 8, 8),)))
    names = {str(node.target) for node in captured.graph.graph.find_nodes(op="get_attr")}
    assert {"conv.weight", "norm.running_mean", "fc.bias"} <= names
    (x,) = captured.graph.graph.find_nodes(op="placeholder")
    assert not isinstance(shape(x)[0], int)
    assert shape(x)[1:] == (3, 8, 8)


def test_a_single_sample_is_no_constant() -> None:
    class Branches(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.squeeze(0) if x.shape[0] == 1 and x.dim() > 3 else x * 2

    for module in (nn.Linear(3, 2), Branches()):
        captured = capture(module, Inputs((torch.randn(1, 3),)))
        _same(captured, module, Inputs((torch.randn(5, 3),)))
        _same(captured, module, Inputs((torch.randn(1, 3),)))


def test_a_batch_whose_very_number_is_asked_for_is_a_constant() -> None:
    captured = capture(Function(lambda x: x * float(x.shape[0])), Inputs((torch.randn(7, 3),)))
    (x,) = captured.graph.graph.find_nodes(op="placeholder")
    assert shape(x) == (7, 3)


def test_tied_parameters_and_recurrent_layers_are_captured_and_the_module_stays_usable() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(7, 4)
            self.rnn = nn.GRU(4, 4, batch_first=True)
            self.head = nn.Linear(4, 7, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, ids: Tensor) -> Tensor:
            logits: Tensor = self.head(self.rnn(self.embed(ids))[0])
            return logits

    module = Tied().eval()
    inputs = Inputs((torch.randint(0, 7, (3, 5)),))
    _same(capture(module, inputs), module, inputs)
    module(*inputs.args).sum().backward()
    assert module.embed.weight.grad is not None


def test_writes_to_what_something_else_sees_are_named() -> None:
    def fill(x: Tensor) -> Tensor:
        out = torch.zeros(x.shape[0], 2)
        first = out[:, :1]
        out[:, 0] = x[:, 0]
        return out + first

    captured = capture(Function(fill), Inputs((torch.randn(3, 4),)))
    assert len(captured.in_place) == 1
    _same(captured, Function(fill), Inputs((torch.randn(3, 4),)))


def _depends_on_data(x: Tensor) -> Tensor:
    return x * 2 if x.sum() > 0 else x


def _writes_to_its_input(x: Tensor) -> Tensor:
    return x.add_(1) * 2


def _returns_an_array(x: Tensor) -> object:
    return x.numpy()


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (
            _depends_on_data,
            r"test_capture\.py, line \d+: what happens next depends on data, .*aten\.item .*x\.sum",
        ),
        (_writes_to_its_input, r"test_capture\.py, line \d+: aten\.add_\.Tensor writes to the input"),
        (_returns_an_array, r"test_capture\.py, line \d+: the forward cannot be captured .*x\.numpy"),
    ],
)
def test_what_is_no_graph_is_named_with_file_line_and_operator(
    function: Callable[..., object], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CaptureError, match=what):
        capture(Function(function), Inputs((torch.randn(3),)))
    assert capsys.readouterr().err == ""


def test_a_copy_has_a_graph_of_its_own() -> None:
    captured = capture(nn.Linear(3, 2), Inputs((torch.randn(4, 3),)))
    copied = captured.copy()
    for node in copied.graph.graph.find_nodes(op="call_function", target=torch.ops.aten.linear.default):
        node.args = (*node.args[:2], None)
    copied.graph.recompile()
    x = torch.randn(2, 3)
    assert not torch.equal(copied.call(Inputs((x,))), captured.call(Inputs((x,))))


class Closure(nn.Module):
    """Keeps a function that refers to one of its own parts."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = fc = nn.Linear(4, 3)
        self.apply_fc = lambda x: fc(x) * 2

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.apply_fc(x)
        return out


class Carries(nn.Module):
    """Reads what the call before left behind."""

    def __init__(self) -> None:
        super().__init__()
        self.state = torch.zeros(4)

    def forward(self, x: Tensor) -> Tensor:
        self.state = self.state.to(x.device) + x.mean(0)
        return x * self.state


def test_parts_that_a_function_refers_to_are_parameters() -> None:
    module, inputs = Closure(), Inputs((torch.randn(5, 4),))
    captured = capture(module, inputs)
    _same(captured, module, inputs)
    read = {str(node.target) for node in captured.graph.graph.find_nodes(op="get_attr")}
    assert read == {"fc.weight", "fc.bias"}


def test_state_that_a_call_leaves_in_an_attribute_is_no_graph() -> None:
    module = Carries()
    with pytest.raises(CaptureError, match=r"changes self\.state, which the next call may read"):
        capture(module, Inputs((torch.randn(5, 4),)))
    assert not module.state.any()
