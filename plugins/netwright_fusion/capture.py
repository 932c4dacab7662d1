"""Capture: from a module and one call's arguments to a graph of ATen operators, composites kept whole."""

import copy
import inspect
import io
import logging
import re
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram, ShapesCollection
from torch.fx.experimental import _config as _shape_config
from torch.utils import _pytree as pytree

from netwright.cases import Inputs, map_tensors
from netwright.cases.module import copy_module
from netwright.errors import NetwrightError
from netwright.harness.attributes import Attributes, plain_tensors
from netwright_fusion.functional import inline_modes, make_functional, memory_of, remaining_writes
from netwright_fusion.graph import is_random, note_given_sizes, shape, sizes_of, tidy, written

MOST_GUARDS = 6
"""Conditions on sizes beyond which a graph is captured for the sizes given, rather than for any batch."""
TORCH_HOME = str(Path(torch.__file__).parent)


class CaptureError(NetwrightError):
    """A module's forward is no graph: `what` names file, line and operator."""


@dataclass(frozen=True)
class Captured:
    """One call of a module as a graph.

    Attributes:
        graph: Its placeholders are the call's tensors in the order of `inputs`, its output is the tuple of the
            output's leaves, and `get_attr` nodes read parameters, buffers and constants, by state-dict name where
            they have one. Every node but the output has `meta["val"]`, a fake; the first size is symbolic where the
            module allows another batch. `graph(*tensors)` runs it, on parameters shared with no other module.
        inputs: The arguments that it was captured with.
        training: Whether the module was in train mode.
        random: Whether a call draws random numbers.
        mutates: Whether a call writes to buffers, such as BatchNorm's running statistics.
        structure: How the output is built of its leaves (a pytree specification).
        outputs: The output's leaves as the module makes them, fakes and numbers: their types, sizes and strides.
        shared: Per leaf, whether it shares memory with an input, parameter or buffer.
        guards: Conditions under which the graph holds for other batch sizes, in Python, over the forward's parameters.
        in_place: Names of nodes that write to other tensors than buffers; rules must leave such a graph alone.
    """

    graph: fx.GraphModule
    inputs: Inputs
    training: bool
    random: bool
    mutates: bool
    structure: pytree.TreeSpec
    outputs: tuple[Any, ...] = ()
    shared: tuple[bool, ...] = ()
    guards: tuple[str, ...] = ()
    in_place: tuple[str, ...] = ()

    def rewritten(self, graph: fx.GraphModule) -> "Captured":
        """The same call, computed by another graph of the same placeholders and outputs."""
        return replace(self, graph=graph)

    def copy(self) -> "Captured":
        """The same call with a graph of its own to rewrite; parameters are shared."""
        graph = fx.GraphModule(self.graph, copy.deepcopy(self.graph.graph))
        for old, new in zip(self.graph.graph.nodes, graph.graph.nodes, strict=True):
            new.meta = dict(old.meta)
        graph.meta = dict(self.graph.meta)
        return self.rewritten(graph)

    def call(self, inputs: Inputs) -> Any:
        """What the graph returns for these inputs, built as the module's own output is."""
        leaves = pytree.tree_leaves((inputs.args, inputs.kwargs))
        outputs = self.graph(*[leaf for leaf in leaves if isinstance(leaf, Tensor)])
        return pytree.tree_unflatten(list(outputs), self.structure)


def capture(module: nn.Module, inputs: Inputs) -> Captured:
    """The graph of `module(*inputs.args, **inputs.kwargs)`, in the module's current mode.

    The module itself stays as it is. Sizes other than the first of every input are those given.

    Raises:
        CaptureError: Control flow or sizes depend on data, an input is written to, or an output is no tensor; with
            file, line and operator. Or a call leaves something behind in an attribute.
    """
    inputs = _in_order(module, inputs)
    _refuse_state(module, inputs)
    errors: list[Exception] = []
    for attempt in _attempts(module, inputs):
        try:
            captured = attempt()
        except CaptureError:
            raise
        except Exception as error:  # whatever a model's own code or torch's tracing raises
            errors.append(error)
        else:
            if captured is not None:
                return captured
    raise _explain(errors[0])


def _attempts(module: nn.Module, inputs: Inputs) -> Iterator[Callable[[], Captured | None]]:
    """Ways to capture, best first; one yields None where another batch size than the given one is out of its reach."""
    training = module.training
    most = 0 if _is_single(inputs) else MOST_GUARDS
    yield lambda: _any_batch(_export(_own(module), inputs, dynamic=True), inputs, training, most)
    if _is_single(inputs):
        yield lambda: _any_batch(_export(_own(module), _doubled(inputs), dynamic=True), inputs, training, MOST_GUARDS)
    yield lambda: _captured(_export(_own(module), inputs, dynamic=False), inputs, training)
    yield lambda: _captured(_export(fx.symbolic_trace(_own(module)), inputs, dynamic=False), inputs, training)


def _any_batch(program: ExportedProgram, inputs: Inputs, training: bool, most_guards: int) -> Captured | None:
    """The program, unless one sample was given and it takes no other number, or takes it under too many conditions."""
    fakes = [node.meta.get("val") for node in program.graph.find_nodes(op="placeholder")]
    sizes = [size for fake in fakes if isinstance(fake, Tensor) for size in sizes_of(fake)]
    symbolic = any(not isinstance(size, int) for size in sizes)
    if len(_guards(program)) > most_guards or (_is_single(inputs) and not symbolic):
        return None
    captured = _captured(program, inputs, training)
    for node, tensor in zip(captured.graph.graph.find_nodes(op="placeholder"), _tensors(inputs), strict=True):
        first: Any = shape(node)[0] if tensor.dim() else 0
        if not isinstance(first, int) and tensor.shape[0] == 1:
            note_given_sizes(first.node.shape_env, {first.node.expr: 1})
    return captured


def _is_single(inputs: Inputs) -> bool:
    """Whether some tensor's first size is 1: tracing takes that for a constant."""
    return any(tensor.dim() and tensor.shape[0] == 1 for tensor in _tensors(inputs))


def _doubled(inputs: Inputs) -> Inputs:
    """The inputs with two samples in the place of one."""

    def doubled(tensor: Tensor) -> Tensor:
        return torch.cat([tensor, tensor]) if tensor.dim() and tensor.shape[0] == 1 else tensor

    own: Inputs = map_tensors(inputs, doubled)
    return own


def _in_order(module: nn.Module, inputs: Inputs) -> Inputs:
    """The same arguments, those by keyword in the order of the forward's signature."""
    known = list(inspect.signature(module.forward).parameters)
    order = sorted(inputs.kwargs, key=lambda name: known.index(name) if name in known else len(known))
    return Inputs(inputs.args, {name: inputs.kwargs[name] for name in order})


def _own(module: nn.Module) -> nn.Module:
    """A copy to trace: tracing leaves fakes behind in some modules (recurrent ones)."""
    try:
        return copy_module(module)
    except (RuntimeError, TypeError, NotImplementedError):
        return module


def _export(module: nn.Module, inputs: Inputs, *, dynamic: bool) -> ExportedProgram:
    shapes = ShapesCollection()  # type: ignore[no-untyped-call]
    if dynamic:
        for tensor in _tensors(inputs):
            if tensor.dim() and tensor.shape[0] > 0:
                shapes[tensor] = {0: Dim.AUTO}
    own = map_tensors(inputs, torch.clone) if not dynamic else inputs
    oblivious = _shape_config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with _quiet(), oblivious if dynamic and _is_single(inputs) else nullcontext():
        return torch.export.export(
            module, own.args, own.kwargs, dynamic_shapes=shapes if dynamic else None, strict=False
        )


def _captured(program: ExportedProgram, inputs: Inputs, training: bool) -> Captured:
    unlifted = program.module(check_guards=False)
    assert isinstance(unlifted, fx.GraphModule)
    structure = unlifted.graph._codegen.pytree_info.out_spec  # type: ignore[attr-defined]
    unlifted.graph.set_codegen(fx.graph.CodeGen())
    graph = fx.GraphModule(unlifted, unlifted.graph)  # without the hooks that check inputs
    graph.training = training
    _keep_tensors(graph)
    inline_modes(graph)
    _flatten_output(graph)
    make_functional(graph)
    _refuse_written_inputs(graph)
    tidy(graph)
    calls = [node for node in graph.graph.nodes if node.op == "call_function"]
    buffers = [node for call in calls for node in written(call) if node.op == "get_attr"]
    leaves: tuple[Any, ...] = tuple(graph.graph.output_node().args[0])  # type: ignore[arg-type]
    return Captured(
        graph=graph,
        inputs=inputs,
        training=training,
        random=any(is_random(node) for node in calls),
        mutates=bool(buffers),
        structure=structure,
        outputs=tuple(leaf.meta["val"] if isinstance(leaf, fx.Node) else leaf for leaf in leaves),
        shared=tuple(isinstance(leaf, fx.Node) and memory_of(leaf).op != "call_function" for leaf in leaves),
        guards=_guards(program),
        in_place=remaining_writes(graph),
    )


def _keep_tensors(graph: fx.GraphModule) -> None:
    """Drop the placeholders of arguments that are no tensors; their values are in the graph already."""
    for node in graph.graph.find_nodes(op="placeholder"):
        if not isinstance(node.meta.get("val"), Tensor):
            if node.users:
                raise CaptureError(f"the argument '{node.target}' is no tensor, and the graph depends on it")
            graph.graph.erase_node(node)


def _flatten_output(graph: fx.GraphModule) -> None:
    """Have the graph return the plain tuple of its output's leaves."""
    output = graph.graph.output_node()
    leaves = output.args[0] if isinstance(output.args[0], (tuple, list)) else (output.args[0],)
    output.args = (tuple(leaves),)
    for leaf in leaves:
        if not isinstance(leaf, fx.Node) and not isinstance(leaf, (int, float, bool, str, type(None))):
            raise CaptureError(f"an output is of type {type(leaf).__name__}", why="outputs must be tensors or numbers")


def _refuse_state(module: nn.Module, inputs: Inputs) -> None:
    """Refuse a module whose calls change tensors that are neither parameters nor buffers: tracing forgets that."""
    names = [name for name, _ in plain_tensors(module)]
    own = _own(module) if names else module
    if own is module:  # without such tensors, or not to be copied: then the harness sees what its calls change
        return
    attributes, given = Attributes(own, names), map_tensors(inputs, torch.clone)
    with torch.no_grad(), torch.random.fork_rng():
        own(*given.args, **given.kwargs)
    if changed := attributes.changed():
        raise CaptureError(
            f"the forward changes self.{changed[0]}, which the next call may read",
            why="no graph computes this",
            remedy="make it a buffer, or an input and an output",
        )


def _refuse_written_inputs(graph: fx.GraphModule) -> None:
    for node in graph.graph.nodes:
        for changed in written(node) if node.op == "call_function" else ():
            if changed.op == "placeholder":
                raise CaptureError(
                    f"{_place_of(node)}: {node.target} writes to the input '{changed.target}'",
                    remedy="clone the input before it is changed",
                )


def _guards(program: ExportedProgram) -> tuple[str, ...]:
    """The program's conditions on sizes."""
    texts = []
    for code in getattr(program, "_guards_code", None) or ():
        text = re.sub(r"torch\.sym_(min|max|int|float)\b", r"\1", code).replace("math.trunc", "int")
        text = text.replace(".size()", ".shape")
        text = re.sub(r"L\['(\w+)'\]", r"\1", text)
        texts.append(text)
    for symbol, bounds in program.range_constraints.items():
        texts += _range_guard(program, symbol, bounds)
    return tuple(texts)


def _range_guard(program: ExportedProgram, symbol: Any, bounds: Any) -> Iterator[str]:
    for node in program.graph.find_nodes(op="placeholder"):
        found = node.meta.get("val")
        if not isinstance(found, Tensor):
            continue
        sizes: tuple[Any, ...] = tuple(found.shape)
        for index, size in enumerate(sizes):
            if isinstance(size, torch.SymInt) and size.node.expr == symbol:
                if bounds.lower > 1:
                    yield f"{node.target}.shape[{index}] > {bounds.lower - 1}"
                if bounds.upper < 2**31:
                    yield f"{node.target}.shape[{index}] <= {bounds.upper}"
                return


def _tensors(inputs: Inputs) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves((inputs.args, inputs.kwargs)) if isinstance(leaf, Tensor)]


def _explain(error: Exception) -> CaptureError:
    """What stood in the way, where in the user's own code."""
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_machinery(frame.filename)]
    place = f"{own[-1].filename}, line {own[-1].lineno}" if own else "the module's forward"
    line = f" ({own[-1].line})" if own and own[-1].line else ""
    kind = type(error).__name__
    if "DataDependent" in kind or "data-dependent" in text:
        what = f"{place}: what happens next depends on data, read by aten.item{line}"
        return CaptureError(what, why="no single graph computes this", remedy="use torch.where, or sizes known ahead")
    return CaptureError(f"{place}: the forward cannot be captured{line}", why=f"{kind}: {text[:300]}")


def _is_machinery(filename: str) -> bool:
    inside = filename.startswith(TORCH_HOME) and "/nn/modules/" not in filename
    return inside or filename.startswith("<") or filename == __file__ or "contextlib" in filename


def _place_of(node: fx.Node) -> str:
    """File and line of the code that a node comes from."""
    lines = [line.strip() for line in (node.meta.get("stack_trace") or "").splitlines() if line.strip()]
    places = [line for line in lines if line.startswith("File ")]
    if not places:
        return "the module's forward"
    file, line, *_ = places[-1].removeprefix("File ").split(", ")
    return f"{file.strip(chr(34))}, {line}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's tracing warns of, logs and prints: what matters of it comes as an exception."""
    loggers = [logging.getLogger(name) for name in ("torch.fx.experimental", "torch.export", "torch._export")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
