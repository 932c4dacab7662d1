"""The check of a rewritten graph, in this process and before anything is written: does it compute what it replaces."""

import copy
import operator
import time

import torch
from torch import Tensor, nn

from netwright.cases import Case, Inputs
from netwright.harness.compare import Yardstick, errors
from netwright.harness.draws import draw_call, draw_module
from netwright.harness.oracle import working_dtype
from netwright.harness.protocol import Draw
from netwright.harness.subject import hidden_tensors
from netwright_fusion.capture import Captured
from netwright_fusion.expectation import first_complaint, outputs_of, yardsticks
from netwright_fusion.graph import ASSUMPTION, is_call
from netwright_fusion.rules.infinity import FINITE_INPUTS, SPREADS

EXACT = 1e-7
"""In float64, a right rewrite agrees with the module to this fraction of an output's rms."""


class GraphCheck:
    """Holds graphs against the unmodified module, in float64 and in the case's own type.

    Args:
        seconds: When they are used up, further draws are left to the harness; the first one is always made.
    """

    def __init__(self, case: Case, *, seed: int, seconds: float = 8.0) -> None:
        self._case = case
        self._seconds = seconds
        base = Draw(seed=seed, weight_seed=seed)
        other = Draw(seed=seed + 1, weight_seed=seed + 1, perturbed=True)
        self._draws = (base, other, base.model_copy(update={"special": "nan"}))
        self._expected: dict[Draw, dict[str, Yardstick]] = {}

    def complaint(self, captured: Captured) -> str | None:
        """Why a graph does not compute what the module computes, or None."""
        started = time.monotonic()
        for draw in self._draws:
            if draw is not self._draws[0] and time.monotonic() - started > self._seconds:
                break
            if draw.special and any(captured.graph.meta.get(mark) for mark in (SPREADS, FINITE_INPUTS)):
                continue  # the file runs the original on those, which the harness sees
            try:
                expected = self._expected_of(draw)
            except Exception:  # the module itself cannot take that: nothing to hold against, here as in the harness
                continue
            try:
                wrong = self._complaint(captured, draw, expected)
            except Exception as error:  # whatever a wrong graph raises
                if _does_not_apply(captured, error):
                    continue
                wrong = " ".join(f"it raises {type(error).__name__}: {error}".split())[:300]
            if wrong:
                return f"{wrong} ({draw})"
        return None

    def _complaint(self, captured: Captured, draw: Draw, expected: dict[str, Yardstick]) -> str | None:
        module, inputs = draw_module(self._case, draw), draw_call(self._case, draw)
        call = _GraphCall(captured, module)
        found = outputs_of(call, inputs, seed=draw.seed, holder=call.graph)
        if wrong := first_complaint(found, expected, self._case.tolerance):
            return wrong
        if draw.special:
            return None
        narrow = working_dtype(module, inputs)
        call = _GraphCall(captured, module)
        exact = outputs_of(call, inputs, seed=draw.seed, exactly=narrow, holder=call.graph)
        for name, yardstick in expected.items():
            difference = errors(exact[name], yardstick.oracle)[0]
            size = max(yardstick.scale, yardstick.error)  # what is 0 but for rounding is as large as its error
            if yardstick.eager.is_floating_point() and difference > EXACT * size:
                return f"{name}: in float64 it is off by {difference:.3g}"
        return None

    def _expected_of(self, draw: Draw) -> dict[str, Yardstick]:
        if draw not in self._expected:
            own, exact = (draw_module(self._case, draw) for _ in range(2))
            self._expected[draw] = yardsticks(own, exact, draw_call(self._case, draw), seed=draw.seed)
        return self._expected[draw]


def _does_not_apply(captured: Captured, error: Exception) -> bool:
    """Whether a graph raised that something it assumes is not so: the file runs the original then."""
    assumptions = [node for node in captured.graph.graph.nodes if is_call(node, ASSUMPTION)]
    return any(str(node.args[1]) in str(error) for node in assumptions)


class _GraphCall(nn.Module):
    """A captured graph with the weights of a module, called as that one is."""

    def __init__(self, captured: Captured, module: nn.Module) -> None:
        super().__init__()
        self._captured = captured.rewritten(copy.deepcopy(captured.graph))
        self.graph = self._captured.graph
        with torch.no_grad():
            parameters = module.named_parameters(remove_duplicate=False)  # the graph may know another of several names
            buffers = module.named_buffers(remove_duplicate=False)
            for name, value in [*parameters, *buffers, *hidden_tensors(module)]:
                own = _attribute(self.graph, name)
                if own is not None:
                    own.copy_(value)

    def forward(self, *args: object, **kwargs: object) -> object:
        return self._captured.call(Inputs(args, kwargs))


def _attribute(graph: nn.Module, name: str) -> Tensor | None:
    try:
        found = operator.attrgetter(name)(graph)
    except AttributeError:  # nothing in the graph needs it
        return None
    return found if isinstance(found, Tensor) else None
