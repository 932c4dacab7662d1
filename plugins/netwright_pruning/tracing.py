"""Tracing: one forward, through whose operators the labels of weights are followed to all that they meet."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from netwright.cases import Inputs, map_tensors
from netwright_pruning.heads import Heads
from netwright_pruning.labels import Axis, Labels
from netwright_pruning.ledger import Product
from netwright_pruning.temperature import Listener, Softmax

Axes = list[Axis]
"""The labels of a tensor's dimensions."""

Arguments = dict[str, Any]
"""An operator's arguments by the names of its schema, defaults included."""

Rule = Callable[["Tracer", Arguments, Tensor], Axes]
"""How labels pass an operator: the axes of one output, after joining and holding what has to be."""


OUTPUT = ("", "the model's output has them")
"""Why channels are held that reach the output."""


@dataclass(frozen=True)
class Reduction:
    """Channels that an operator brings together in a way that depends on how many they are."""

    axis: Axis
    module: str
    operator: str


@dataclass
class Visit:
    """What was seen in a module's own code.

    Attributes:
        axes: The labelled dimensions of the tensors there.
    """

    axes: list[Axis] = field(default_factory=list)


class Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the labels of a model's weights through the operators of one forward.

    An operator without a rule holds all that reaches it.

    Attributes:
        weights: Per name of a parameter or buffer, its axes.
        used: Those names, in the order in which the forward met them.
        produced: The axes that products with weights put out.
        products: All that the forward multiplies.
        softmaxes: Calls of attention that leave the scale to PyTorch.
        head_lines: Per module that has a number for it, the dimensions of a head.
        visits: Per module, what was seen in its own code.
    """

    def __init__(self, model: nn.Module, rules: dict[str, Rule], pointwise: Rule, unknown: Rule, heads: Heads) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.labels = Labels()
        self.heads = heads
        self.weights: dict[str, Axes] = {}
        self.used: dict[str, None] = {}
        self.produced: list[Axis] = []
        self.products: list[Product] = []
        self.reductions: list[Reduction] = []
        self.softmaxes: list[Softmax] = []
        self.head_lines: dict[str, Axis] = {}
        self.visits: dict[str, Visit] = {}
        self.outputs: list[Tensor] = []
        self._operator = ""
        self._model = model
        self._rules, self._pointwise, self._unknown = rules, pointwise, unknown
        self._stack: list[str] = [""]
        self._known: dict[int, tuple[Tensor, Axes]] = {}  # holds the tensors too, so that no id is used twice
        self._names: dict[int, str] = {}
        for name, tensor in _weights(model):
            known = self._known.get(id(tensor))
            self.weights[name] = known[1] if known else [self.labels.fresh(size) for size in tensor.shape]
            self._known[id(tensor)] = (tensor, self.weights[name])
            self._names.setdefault(id(tensor), name)

    def run(self, forward: Callable[[], list[Tensor]]) -> None:
        """Follow one forward, whose outputs hold all that reaches them."""
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            stack.enter_context(_no_fast_path())
            stack.enter_context(self._following_modules())
            stack.enter_context(Listener(self._hear))
            stack.enter_context(self)
            self.outputs = forward()
        for output in self.outputs:
            for axis in self.axes(output):
                self.labels.hold(axis, OUTPUT)

    def _hear(self, query: Tensor) -> None:
        self.softmaxes.append(Softmax(self._stack[-1], self.axes(query)[-1]))

    @property
    def place(self) -> tuple[str, str]:
        """The module whose code runs, and the operator that it has called."""
        return self._stack[-1], self._operator

    @property
    def module(self) -> nn.Module:
        """The module whose code runs."""
        return self._model.get_submodule(self._stack[-1])

    @property
    def visit(self) -> Visit:
        """What was seen in the module whose code runs."""
        return self.visits.setdefault(self._stack[-1], Visit())

    def couple(self, module: str) -> None:
        """Let all dimensions of one size that were seen in a module's code lose the same indices."""
        by_size: dict[int, Axis] = {}
        for axis in self.visits[module].axes if module in self.visits else []:
            if self.labels.free(axis).any():
                self.labels.join(by_size.setdefault(len(axis), axis), axis, (module, "its widths are one"))

    def parameters(self) -> Iterator[Axes]:
        """The axes of every parameter, each once."""
        for name, _ in self._model.named_parameters():
            yield self.weights[name]

    def follows(self, tensor: Tensor) -> bool:
        """Whether a tensor comes from a weight."""
        return id(tensor) in self._known

    def axes(self, tensor: Tensor) -> Axes:
        """The labels of a tensor's dimensions; zeros where nothing is known of it."""
        known = self._known.get(id(tensor))
        return known[1] if known else [np.zeros(size, np.int64) for size in tensor.shape]

    def join(self, one: Axis, other: Axis) -> None:
        """Let labels at the same index stand or fall together."""
        self.labels.join(one, other, self.place)

    def hold(self, axis: Axis) -> None:
        """Let these labels never go."""
        self.labels.hold(axis, self.place)

    def multiply(self, constant: int, *axes: Axis) -> None:
        """Note a product that takes `constant` times the lengths of these axes in MACs."""
        self.products.append(Product(constant, axes))

    def reduce(self, axis: Axis) -> None:
        """Note that the operator's result depends on how many channels it sees."""
        if axis.any():
            self.reductions.append(Reduction(axis, *self.place))

    def __torch_dispatch__(
        self, func: OpOverload, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        arguments = {a.name: a.default_value for a in func._schema.arguments}
        arguments |= dict(zip(arguments, args, strict=False)) | (kwargs or {})
        result = self.compute(func, args, kwargs or {}, arguments)
        tensors = list(tensors_of(list(arguments.values())))
        for tensor in tensors:
            if id(tensor) in self._names:
                self.used[self._names[id(tensor)]] = None
        if any(id(tensor) in self._known for tensor in tensors):
            self._operator = func._schema.name.partition("::")[2]
            rule = self._rules.get(self._operator) or self._rules.get(self._operator.removesuffix("_"))
            if rule is None:
                rule = self._pointwise if torch.Tag.pointwise in func.tags else self._unknown
            self._note(tensors)
            self._follow(rule, arguments, result)
        elif func is torch.ops.aten.zeros.default and isinstance(self.module, nn.RNNBase):
            self._follow(_state, arguments, result)
        return result

    def compute(self, func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], _arguments: Arguments) -> Any:
        """What the operator puts out."""
        return func(*args, **kwargs)

    def _follow(self, rule: Rule, arguments: Arguments, result: Any) -> None:
        outputs = list(tensors_of(list(result) if isinstance(result, (list, tuple)) else [result]))
        for index, output in enumerate(outputs):
            axes = self._axes_after(rule, {**arguments, "output": index}, output)
            self._known[id(output)] = (output, axes)
        self._note(outputs)

    def _axes_after(self, rule: Rule, arguments: Arguments, output: Tensor) -> Axes:
        """The output's axes; where the rule does not fit the call, all that comes in is held."""
        try:
            axes = rule(self, arguments, output)
        except (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError):
            return self._unknown(self, arguments, output)
        if [len(axis) for axis in axes] != list(output.shape):
            return self._unknown(self, arguments, output)
        return axes

    def _note(self, tensors: list[Tensor]) -> None:
        visit = self.visit
        visit.axes += [axis for tensor in tensors for axis in self.axes(tensor) if axis.any()]

    @contextmanager
    def _following_modules(self) -> Iterator[None]:
        handles = []

        def enter(name: str, _module: nn.Module, args: Any) -> None:
            self._stack.append(name)
            self._note(list(tensors_of(args)))

        def leave(_module: nn.Module, _args: Any, _output: Any) -> None:
            self._stack.pop()

        for name, module in self._model.named_modules():
            handles.append(module.register_forward_pre_hook(partial(enter, name)))
            handles.append(module.register_forward_hook(leave))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _state(tracer: Tracer, _arguments: Arguments, state: Tensor) -> Axes:
    """What a recurrent layer starts from, of shape (..., width), is as wide as the layer, whatever that may be."""
    return [*(np.zeros(size, np.int64) for size in state.shape[:-1]), tracer.labels.fresh(state.shape[-1])]


def tensors_of(value: Any) -> Iterator[Tensor]:
    """All tensors in nested values, in order."""
    found: list[Tensor] = []
    map_tensors(value, found.append)
    yield from found


def run_model(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    """One forward; all tensors of the output, in order."""
    output = model(*inputs.args, **inputs.kwargs)
    return list(tensors_of(output.to_tuple() if hasattr(output, "to_tuple") else output))


def _weights(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)


@contextmanager
def _no_fast_path() -> Iterator[None]:
    """Inside the block, PyTorch's transformer layers run operator by operator."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
