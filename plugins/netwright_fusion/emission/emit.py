"""The text of `optimized.py`: one module that computes a graph in the place of the original."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from netwright_fusion.capture import Captured
from netwright_fusion.emission import tree, watch
from netwright_fusion.emission.arguments import Arguments, arguments_of
from netwright_fusion.emission.body import Body, unpackings
from netwright_fusion.emission.errors import EmissionError
from netwright_fusion.emission.execution import Execution
from netwright_fusion.emission.literal import tensor_literal
from netwright_fusion.emission.partition import Partition, partition
from netwright_fusion.emission.source import fitting_source, imported, names_of
from netwright_fusion.emission.state import is_registered, path_to, tensor_at
from netwright_fusion.emission.structure import Structure
from netwright_fusion.emission.variables import Variables
from netwright_fusion.functional import memory_of
from netwright_fusion.graph import is_call, operator_name, size_hint
from netwright_fusion.kernels.listing import listing
from netwright_fusion.origin import Origin
from netwright_fusion.rules.infinity import FINITE_INPUTS

INDENT = "    "
IMPORTS = {"torch": "import torch", "F": "import torch.nn.functional as F", "nn": "from torch import nn"}
TRITON = {"triton": "import triton", "tl": "import triton.language as tl"}
TYPED = {"NamedTuple": "from typing import NamedTuple"}


def emit(
    captured: Captured, origin: Origin, *, execution: Execution = Execution.EAGER, notes: Sequence[str] = ()
) -> str:
    """The text of a stand-alone Python file whose `ModelNew` computes the graph in the place of the original module.

    It has the original's constructor and state-dict names. Where the original's class stands in a file of its own, that
    file's text is part of it, and whatever the graph was not captured for (another size, type or mode) goes the
    original's way; otherwise the module tree is written out, and such a call is a ValueError.

    Calls of kernels are nodes with `meta["kernel"]`: its source is included once. A node's `meta["comment"]` becomes a
    comment above it. Equal arguments give equal text.

    Args:
        captured: The call, with the graph as it was captured or rewritten.
        origin: What it was captured from.
        execution: How the graph runs.
        notes: Lines for the head of the file: what was done, and what came of it.

    Raises:
        EmissionError: Something cannot be written down, or weights cannot be frozen in train mode.
    """
    if execution.freezes and captured.training:
        raise EmissionError("weights cannot be frozen in train mode")
    return _Document(captured, origin, execution, notes).text()


def emit_baseline(origin: Origin, *, execution: Execution = Execution.EAGER, random: bool = False) -> str:
    """The text of `optimized.py` where nothing could be won: the original, run in the fastest of the usual ways.

    Args:
        random: Whether a call draws random numbers.

    Raises:
        EmissionError: The original's class does not stand in a file of its own.
    """
    if origin.text is None:
        raise EmissionError(f"the source of '{origin.case}' does not stand alone")
    source = fitting_source(origin.text, origin.class_name)
    head = f"# {origin.case}: nothing that netwright tried was faster than this."
    decorator = execution.decorator(random=random)
    body = f'{INDENT}"""The original, run {_how(execution)}."""\n'
    if decorator:
        signature, passed = _own_arguments(origin)
        body += (
            f"\n{INDENT}{decorator}\n{INDENT}def forward({signature}):\n{INDENT * 2}return super().forward({passed})\n"
        )
    needs = "" if "torch" in imported(source) or not decorator else "import torch\n\n"
    return f"{head}\n\n{source.rstrip()}\n\n\n{needs}class ModelNew({origin.class_name}):\n{body}"


def kernel_names(graph: fx.GraphModule) -> tuple[str, ...]:
    """The kernels that a graph's text claims, for `Variant.claims`."""
    calls = [node.meta["kernel"] for node in graph.graph.nodes if "kernel" in node.meta]
    return tuple(dict.fromkeys(name for call in calls for name in call.kernels))


@dataclass(frozen=True)
class _Names:
    """Names of the generated parts, none of which the original may use for something else."""

    record: str
    watch: str
    compute: str
    prepare: str
    prepared: str
    kept: str
    sources: str


class _Document:
    """One file in the making."""

    def __init__(self, captured: Captured, origin: Origin, execution: Execution, notes: Sequence[str]) -> None:
        self.captured = captured
        self.graph = captured.graph
        self.origin = origin
        self.execution = execution
        self.notes = notes
        self.source = fitting_source(origin.text, origin.class_name) if origin.text is not None else None
        self.outline = origin.module if self.source is not None else tree.outline(origin.module)
        self.constants, self.attributes = self._sort_attributes()
        self.parts: Partition = partition(
            self.graph, frozenset(self.constants), self.attributes, freezes=execution.freezes
        )
        self.arguments: Arguments = arguments_of(captured, origin.module, own_signature=self.source is not None)
        self.bound = imported(self.source) if self.source is not None else {}
        self.taken = names_of(self.source) if self.source is not None else set()
        self.names = self._choose_names()
        self.fields = self._name_fields()
        self.structure = Structure(set(self.bound))
        self.kernels = list(
            {
                node.meta["kernel"].name: node.meta["kernel"]
                for node in self.graph.graph.nodes
                if "kernel" in node.meta
            }.values()
        )

    def text(self) -> str:
        """The whole file."""
        model = self._model()
        parts = [self._head()]
        if self.source is not None:
            parts.append(self.source.strip() + "\n")
        parts.append("\n".join(self._imports(model)) + "\n")
        parts += [text.strip() + "\n" for text in listing(self.kernels)]
        if self.fields:
            parts += [watch.WATCH.format(watch=self.names.watch).strip() + "\n", self._record()]
        return "\n\n".join([*parts, model]).replace("\n\n\n\n", "\n\n\n")

    def _head(self) -> str:
        lines = [
            f"ModelNew: what {self.origin.class_name} of '{self.origin.case}' computes, {_how(self.execution)}.",
            *self.notes,
        ]
        return "\n".join(f"# {line}".rstrip() for text in lines for line in textwrap.wrap(text, 116) or [""]) + "\n"

    def _imports(self, body: str) -> Iterator[str]:
        whole = body + self._record()
        wanted = dict(IMPORTS)
        if self.kernels:
            wanted |= TRITON
        if self.fields:
            wanted |= TYPED
        whole += "".join(kernel.source for kernel in self.kernels)
        means = {"torch": "torch", "F": "torch.nn.functional", "nn": "torch.nn", "triton": "triton"}
        means |= {"tl": "triton.language", "NamedTuple": "typing.NamedTuple"}
        lines = [
            line
            for name, line in wanted.items()
            if re.search(rf"\b{name}\b", whole) and self.bound.get(name) != means[name]
        ]
        lines += [f"from {home} import {name}" for name, home in sorted(self.structure.imports.items())]
        return iter(sorted(lines))

    def _record(self) -> str:
        if not self.fields:
            return ""
        lines = [f"class {self.names.record}(NamedTuple):", f'{INDENT}"""What depends on parameters only."""', ""]
        return "\n".join([*lines, *(f"{INDENT}{field}: torch.Tensor" for field in self.fields.values())]) + "\n"

    def _model(self) -> str:
        base = self.origin.class_name if self.source is not None else "nn.Module"
        what = f"`{self.origin.class_name}` with another forward: same constructor, same state dict."
        lines = [f"class ModelNew({base}):", f'{INDENT}"""{what}"""', ""]
        if self.fields:
            sources = ", ".join(f'"{name}"' for name in self.parts.sources)
            sources += "," if len(self.parts.sources) == 1 else ""
            lines += [f"{INDENT}{self.names.kept} = None"]
            lines += textwrap.wrap(
                f"{self.names.sources} = ({sources})", 116, initial_indent=INDENT, subsequent_indent=INDENT * 2
            )
            lines += [""]
        if self.source is None:
            lines += self._constructor()
        lines += self._forward()
        if self.execution.compiles:
            lines += ["", *self._compute()]
        if self.fields:
            lines += ["", *self._prepare(), self._prepared()]
        return "\n".join(lines).rstrip() + "\n"

    def _constructor(self) -> list[str]:
        statements = tree.constructor_lines(self.origin.module)
        tree.check_written(self.origin.module, statements)
        return [
            f"{INDENT}def __init__(self, *_, **__):",
            f'{INDENT * 2}"""Takes the original constructor\'s arguments; the sizes are those it was made for."""',
            *(INDENT * 2 + line for line in ["super().__init__()", *statements]),
            "",
        ]

    def _forward(self) -> list[str]:
        conditions = ["self.training" if self.captured.training else "not self.training", *self.arguments.conditions]
        if self.kernels:
            interpreted = f"not isinstance({self.kernels[0].kernels[0]}, triton.JITFunction)"
            runs = f"({self._device_of_first()}.type == 'cuda' or {interpreted})"
            conditions += ["not torch.is_grad_enabled()", runs]
        if self.graph.meta.get(FINITE_INPUTS) and self.source is not None:
            conditions += [text for node, given in self.arguments.tensors.items() for text in _is_finite(given, node)]
        lines = [f"{INDENT}def forward({self.arguments.signature}):"]
        test = " and ".join(conditions)
        if len(test) < 90:
            lines += [f"{INDENT * 2}if not ({test}):"]
        else:
            joined = f"\n{INDENT * 3}and ".join(conditions)
            lines += [f"{INDENT * 2}if not (", f"{INDENT * 3}{joined}", f"{INDENT * 2}):"]
        if self.source is not None:
            lines += [f"{INDENT * 3}return super().forward({self.arguments.passed})"]
        else:
            expected = self.arguments.expected.replace('"', "'")
            expected += " on a CUDA device, without gradients" if self.kernels else ""
            lines += [f'{INDENT * 3}raise ValueError("this forward was made for {expected}")']
        if not self.execution.compiles:
            kept = [f"kept = self.{self.names.prepared}({self._device_of_first()})"] if self.fields else []
            return lines + [INDENT * 2 + line for line in [*self._renamed(), *kept, *self._body()]]
        given = list(self.arguments.tensors.values())
        if self.fields:
            given.append(f"self.{self.names.prepared}({self._device_of_first()})")
        return [*lines, f"{INDENT * 2}return self.{self.names.compute}({', '.join(given)})"]

    def _compute(self) -> list[str]:
        decorator = self.execution.decorator(random=self.captured.random)
        parameters = ["self", *self._parameters().values(), *(["kept"] if self.fields else [])]
        return [
            f"{INDENT}{decorator}",
            f"{INDENT}def {self.names.compute}({', '.join(parameters)}):",
            *(INDENT * 2 + line for line in self._body()),
        ]

    def _body(self) -> list[str]:
        output: tuple[Any, ...] = tuple(self.graph.graph.output_node().args[0])  # type: ignore[arg-type]
        ends = [leaf for leaf in output if isinstance(leaf, fx.Node)]
        fixed = {node: f"kept.{field}" for node, field in self.fields.items()}
        for node in self.graph.graph.nodes:
            if node.op == "get_attr" and node not in fixed and node.target not in self.constants:
                fixed[node] = path_to(self.outline, str(node.target))
        placeholders = self._parameters()
        forbidden = {"self", "kept", "F", "torch", "nn", *self.arguments.names, *(each.name for each in self.kernels)}
        symbols = self._symbols(forbidden)
        variables = Variables(
            self.parts.computed, fixed, placeholders, {*forbidden, *(name for name, _ in symbols.values())}, ends
        )
        device = f"{next(iter(placeholders.values()))}.device" if placeholders else self._device_of_first()
        sizes = {symbol: name for symbol, (name, _) in symbols.items()}
        body = Body(variables, device, sizes, lets_go=not self.execution.compiles)
        lines = [f"{name} = {expression}" for name, expression in symbols.values()]
        lines += body.lines(self.parts.computed, unpackings(self.parts.computed))
        leaves = [self._leaf(index, leaf, body, output) for index, leaf in enumerate(output)]
        result = f"return {self.structure.text(self.captured.structure, leaves)}"
        last = lines[-1] if lines else ""
        if len(leaves) == 1 and last.startswith(f"{leaves[0]} = ") and result == f"return {leaves[0]}":
            return [*lines[:-1], f"return {last.removeprefix(f'{leaves[0]} = ')}"]
        return [*lines, result]

    def _leaf(self, index: int, leaf: Any, body: Body, output: tuple[Any, ...]) -> str:
        """The text of an output, laid out in memory as the original's is, and apart from what that is apart from."""
        text = body.text(leaf)
        if not isinstance(leaf, fx.Node) or not isinstance(leaf.meta.get("val"), Tensor):
            return text
        original = self.captured.outputs[index]
        if not self._same_layout(original, leaf.meta["val"]):
            return text + self._relayout(original)
        memory = memory_of(leaf)
        shares = memory.op != "call_function" or memory in self.fields
        again = leaf in output[:index] and self.captured.outputs[output.index(leaf)] is not original
        return f"{text}.clone()" if again or (shares and not self.captured.shared[index]) else text

    @staticmethod
    def _same_layout(original: Tensor, now: Tensor) -> bool:
        meaningful = [
            (size_hint(size), size_hint(left), size_hint(right))
            for size, left, right in zip(original.shape, original.stride(), now.stride(), strict=True)
        ]
        return all(size == 1 or left == right for size, left, right in meaningful)

    @staticmethod
    def _relayout(original: Tensor) -> str:
        if original.is_contiguous():
            return ".contiguous()"
        if original.dim() == 4 and original.is_contiguous(memory_format=torch.channels_last):
            return ".contiguous(memory_format=torch.channels_last)"
        if original.dim() == 5 and original.is_contiguous(memory_format=torch.channels_last_3d):
            return ".contiguous(memory_format=torch.channels_last_3d)"
        order = sorted(range(original.dim()), key=lambda dim: -size_hint(original.stride(dim)))
        back = [order.index(dim) for dim in range(original.dim())]
        return f".permute({', '.join(map(str, order))}).contiguous().permute({', '.join(map(str, back))})"

    def _prepare(self) -> list[str]:
        fixed: dict[fx.Node, str] = {}
        lines: list[str] = []
        for node in self.parts.prepared:
            if node.op == "get_attr" and node.target in self.constants:
                name = f"constant_{len(lines) + 1}"
                lines.append(f"{name} = {tensor_literal(self.constants[str(node.target)], 'device')}")
                fixed[node] = name
            elif node.op == "get_attr":
                fixed[node] = path_to(self.outline, str(node.target))
        forbidden = {"self", "device", "F", "torch", "nn", *fixed.values()}
        program = [node for node in self.parts.prepared if node.op == "call_function"]
        variables = Variables(program, fixed, {}, forbidden, list(self.fields))
        body = Body(variables, "device", {})
        lines += body.lines(program, unpackings(program))
        values = ", ".join(f"{field}={variables[node]}" for node, field in self.fields.items())
        what = '"""What of `forward` depends on parameters only."""'
        whole = textwrap.wrap(f"return {self.names.record}({values})", 108, subsequent_indent=INDENT)
        head = f"{INDENT}def {self.names.prepare}(self, device):"
        return [head, *(INDENT * 2 + line for line in [what, *lines, *whole])]

    def _prepared(self) -> str:
        marks = watch.FROZEN if self.execution.freezes else watch.STATIC if self.execution.compiles else ""
        names = {key: getattr(self.names, key) for key in ("prepared", "prepare", "kept", "sources", "watch")}
        text = watch.PREPARED.format(marks=marks.format(record=self.names.record), **names)
        return text.rstrip() + "\n"

    def _parameters(self) -> dict[fx.Node, str]:
        """Per placeholder, a name for its tensor."""
        return {node: re.sub(r"\W+", "_", text).strip("_") for node, text in self.arguments.tensors.items()}

    def _renamed(self) -> list[str]:
        """Assignments for tensors that stand inside other arguments."""
        return [
            f"{name} = {self.arguments.tensors[node]}"
            for node, name in self._parameters().items()
            if name != self.arguments.tensors[node]
        ]

    def _device_of_first(self) -> str:
        if self.arguments.tensors:
            return f"{next(iter(self.arguments.tensors.values()))}.device"
        return f"{path_to(self.outline, next(iter(dict(self.origin.module.named_parameters()))))}.device"

    def _symbols(self, forbidden: set[str]) -> dict[str, tuple[str, str]]:
        """Per symbolic size that the program names: its name and what it is read from."""
        if not any(_uses_sizes(node) for node in self.parts.computed):
            return {}
        found: dict[str, tuple[str, str]] = {}
        names = self._parameters()
        for node, text in names.items():
            sizes: tuple[Any, ...] = tuple(node.meta["val"].shape)
            for index, size in enumerate(sizes):
                symbol = "" if isinstance(size, int) else str(size.node.expr)
                if symbol.isidentifier() and symbol not in found:
                    wanted = "batch" if index == 0 and not found else f"size_{len(found) + 1}"
                    while wanted in forbidden or wanted in names.values():
                        wanted += "_"
                    found[symbol] = (wanted, f"{text}.shape[{index}]")
        return found

    def _sort_attributes(self) -> tuple[dict[str, Tensor], frozenset[str]]:
        """Constants that the module does not have by name, and the names of plain attributes that it does."""
        constants, plain = {}, set()
        for node in self.graph.graph.find_nodes(op="get_attr"):
            name = str(node.target)
            if tensor_at(self.origin.module, name) is None or (
                self.source is None and not is_registered(self.origin.module, name)
            ):
                constants[name] = _attribute(self.graph, name)
            elif not is_registered(self.origin.module, name):
                plain.add(name)
        return constants, frozenset(plain)

    def _choose_names(self) -> _Names:
        text = self.origin.text or ""

        def free(name: str) -> str:
            while re.search(rf"\b{name}\b", text):
                name += "_"
            return name

        return _Names(
            record=free("Prepared"),
            watch=free("Watch"),
            compute=free("_compute"),
            prepare=free("_prepare"),
            prepared=free("_prepared"),
            kept=free("_kept"),
            sources=free("_sources"),
        )

    def _name_fields(self) -> dict[fx.Node, str]:
        """Per kept node, its field: named after the parameter that it comes from and the operator."""
        found: dict[fx.Node, str] = {}
        for node in self.parts.kept:
            if node.op == "get_attr":
                name = "constant" if node.target in self.constants else str(node.target).replace(".", "_")
            else:
                name = f"{_first_parameter(node)}_{operator_name(node)}"
            name = re.sub(r"\W", "_", name).strip("_")
            name = name if name.isidentifier() and name not in ("count", "index") else f"value_{name}"
            number, stem = 2, name
            while name in found.values():
                name, number = f"{stem}_{number}", number + 1
            found[node] = name
        return found


def _is_finite(text: str, node: fx.Node) -> Iterator[str]:
    """The condition that a tensor holds no NaN and no infinity: then neither does its sum, short of an overflow."""
    kind = node.meta["val"].dtype
    if kind.is_floating_point:
        wide = "" if kind.itemsize > 2 else "dtype=torch.float32"
        yield f"torch.isfinite({text}.detach().sum({wide}))"


def _first_parameter(node: fx.Node) -> str:
    while node.op == "call_function":
        if not node.all_input_nodes:
            return "constant"
        node = node.all_input_nodes[0]
    return str(node.target).replace(".", "_")


def _attribute(graph: fx.GraphModule, name: str) -> Tensor:
    found: Any = graph
    for part in name.split("."):
        found = getattr(found, part)
    assert isinstance(found, Tensor)
    return found


def _uses_sizes(node: fx.Node) -> bool:
    if is_call(node, torch.ops.aten.sym_size):
        return True
    flat: list[Any] = [*node.args, *node.kwargs.values()]
    while flat:
        each = flat.pop()
        if isinstance(each, torch.SymInt):
            return True
        if isinstance(each, (list, tuple)):
            flat += each
    return False


def _how(execution: Execution) -> str:
    match execution:
        case Execution.EAGER:
            return "operator by operator"
        case Execution.COMPILED:
            return "compiled by torch.compile"
        case Execution.MAX_AUTOTUNE:
            return "compiled by torch.compile in its mode max-autotune"
        case Execution.FROZEN:
            return "compiled by torch.compile with its weights as constants"
        case Execution.FROZEN_MAX_AUTOTUNE:
            return "compiled by torch.compile with its weights as constants and the fastest of several kernels"


def _own_arguments(origin: Origin) -> tuple[str, str]:
    from netwright_fusion.emission.arguments import handed_on, signature_text

    text = signature_text(origin.module) or "self, *args, **kwargs"
    return text, handed_on(text)
