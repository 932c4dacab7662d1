"""What every rule's tests need: a graph made from a function, and the check that a rule leaves its values alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import pytest
import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from netwright_fusion.graph import tidy
from netwright_fusion.rules.apply import Applied, apply_rules
from netwright_fusion.rules.rule import Rule

Function = Callable[..., Tensor | tuple[Tensor, ...]]


def trace(function: Function, parameters: Mapping[str, Tensor], inputs: Sequence[Tensor]) -> fx.GraphModule:
    """The graph of `function(*inputs, **parameters)`: composites whole, parameters as `get_attr` nodes."""

    def flat(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        return function(*tensors[: len(inputs)], **dict(zip(parameters, tensors[len(inputs) :], strict=True)))

    with torch.no_grad():
        graph = make_fx(flat, pre_dispatch=True, tracing_mode="fake")(*inputs, *parameters.values())
    placeholders = graph.graph.find_nodes(op="placeholder")
    for (name, tensor), node in zip(parameters.items(), placeholders[len(inputs) :], strict=True):
        graph.register_buffer(name, tensor)
        with graph.graph.inserting_before(node):
            read = graph.graph.get_attr(name)
        read.meta = dict(node.meta)
        node.replace_all_uses_with(read)
        graph.graph.erase_node(node)
    tidy(graph)
    return graph


class Check(Protocol):
    """See `check`."""

    def __call__(
        self,
        rules: Rule | Sequence[Rule],
        function: Function,
        inputs: Sequence[Tensor],
        training: bool = False,
        times: int | None = None,
        finite: bool = False,
        **parameters: Tensor,
    ) -> tuple[fx.GraphModule, list[Applied]]: ...


@pytest.fixture(scope="session")
def sketch() -> Callable[..., fx.GraphModule]:
    """`trace`: the graph of a function, without any rule applied."""
    return trace


@pytest.fixture(scope="session")
def check() -> Check:
    """Apply rules to a function's graph, and hold its values in float64 against the function's own.

    Outputs must agree in value, shape and type, on the inputs and with NaN and infinity in one element of each.
    `times` is how often the rules must apply; None for at least once. `finite`: on the inputs only.
    """

    def run(
        rules: Rule | Sequence[Rule],
        function: Function,
        inputs: Sequence[Tensor],
        training: bool = False,
        times: int | None = None,
        finite: bool = False,
        **parameters: Tensor,
    ) -> tuple[fx.GraphModule, list[Applied]]:
        graph = trace(function, parameters, inputs)
        chosen = [rules] if isinstance(rules, Rule) else list(rules)
        applied = apply_rules(graph, chosen, training=training)
        assert len(applied) == times if times is not None else applied, str(graph.graph)
        with torch.no_grad():
            for special in (None,) if finite else (None, float("nan"), float("inf")):
                given = [_with(each, special) for each in inputs]
                expected = function(*given, **parameters)
                _assert_same(graph(*given), expected, strict=special != float("inf"))
        return graph, applied

    return run


def _with(tensor: Tensor, special: float | None) -> Tensor:
    if special is None or not tensor.is_floating_point() or tensor.numel() == 0:
        return tensor
    changed = tensor.clone()
    changed.view(-1)[tensor.numel() // 2] = special
    return changed


def _assert_same(actual: Tensor | tuple[Tensor, ...], expected: Tensor | tuple[Tensor, ...], *, strict: bool) -> None:
    ours = actual if isinstance(actual, tuple | list) else (actual,)
    theirs = expected if isinstance(expected, tuple | list) else (expected,)
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        if strict:
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9, equal_nan=True)
        else:
            assert torch.equal(one.isfinite(), other.isfinite())
            torch.testing.assert_close(one[one.isfinite()], other[one.isfinite()], rtol=1e-9, atol=1e-9)
