"""One generated file in the making: its parts, in the order in which they stand."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, fx

from netwright_fusion.capture import Captured
from netwright_fusion.emission import tree, watch
from netwright_fusion.emission.arguments import Arguments, arguments_of
from netwright_fusion.emission.body import Body, unpackings
from netwright_fusion.emission.errors import EmissionError
from netwright_fusion.emission.execution import Execution
from netwright_fusion.emission.finiteness import clamps_convolution, is_finite
from netwright_fusion.emission.layout import relayout
from netwright_fusion.emission.literal import tensor_literal
from netwright_fusion.emission.modes import mode_conditions
from netwright_fusion.emission.naming import field_names, part_names
from netwright_fusion.emission.partition import Partition, partition
from netwright_fusion.emission.sizes import symbols_of
from netwright_fusion.emission.source import fitting_source, functions_of, imported, names_of
from netwright_fusion.emission.state import path_to, sort_attributes
from netwright_fusion.emission.structure import Structure
from netwright_fusion.emission.variables import Variables
from netwright_fusion.functional import memory_of
from netwright_fusion.graph import is_helper, same_layout
from netwright_fusion.kernels.listing import listing
from netwright_fusion.origin import Origin
from netwright_fusion.rules.infinity import FINITE_INPUTS

INDENT = "    "
FUNCTIONAL = "torch.nn.functional"
IMPORTS = {"torch": "import torch", "nn": "from torch import nn", "base64": "import base64", "zlib": "import zlib"}
TRITON = {"triton": "import triton", "tl": "import triton.language as tl"}
TYPED = {"NamedTuple": "from typing import NamedTuple"}


class Document:
    """One file in the making."""

    def __init__(self, captured: Captured, origin: Origin, execution: Execution, notes: Sequence[str]) -> None:
        self.captured = captured
        self.graph = captured.graph
        self.origin = origin
        self.execution = execution
        self.notes = notes
        self.source = fitting_source(origin.text, origin.class_name) if origin.text is not None else None
        self.outline = origin.module if self.source is not None else tree.outline(origin.module)
        self.constants, plain = sort_attributes(self.graph, origin.module, attributes=self.source is not None)
        self.parts: Partition = partition(self.graph, frozenset(self.constants), plain, freezes=execution.freezes)
        self.arguments: Arguments = arguments_of(captured, origin.module, own_signature=self.source is not None)
        self.bound = imported(self.source) if self.source is not None else {}
        taken = names_of(self.source) if self.source is not None else set()
        self.functional = "F" if self.bound.get("F") == FUNCTIONAL or "F" not in taken else "nn_functional"
        self.names = part_names(origin.text or "")
        self.fields = field_names(self.parts.kept, self.constants)
        self.structure = Structure(taken)
        self.kernels = list(
            {
                node.meta["kernel"].name: node.meta["kernel"]
                for node in self.graph.graph.nodes
                if "kernel" in node.meta
            }.values()
        )

        self.helpers = functions_of(node.target for node in self.graph.graph.nodes if is_helper(node))
        if clash := sorted(taken & set(self.helpers)):
            raise EmissionError(f"the original's source has a '{clash[0]}' of its own")

    @property
    def _loses_nan(self) -> bool:
        """Whether compiled code may return numbers where the original returns NaN."""
        return self.execution.freezes and clamps_convolution(self.graph)

    @property
    def _compiles_apart(self) -> bool:
        """Whether the function that computes is needed uncompiled, too: for NaN, where there is no original to run."""
        return self._loses_nan and self.source is None and bool(self._finite())

    @property
    def _computes_with_kept(self) -> bool:
        """Whether prepared values take part in a call, and not only say whether it may be made."""
        return any(node not in self.parts.assumed for node in self.fields)

    def text(self) -> str:
        """The whole file."""
        model = self._model()
        if self.functional != "F":
            model = re.sub(r"\bF\.", f"{self.functional}.", model)
        parts = [self._head()]
        if self.source is not None:
            parts.append(self.source.strip() + "\n")
        parts.append("\n".join(self._imports(model)) + "\n")
        parts += [text.strip() + "\n" for text in [*self.helpers.values(), *listing(self.kernels)]]
        if self.fields:
            parts += [watch.WATCH.format(watch=self.names.watch).strip() + "\n", self._record()]
        return "\n\n".join([*parts, model]).replace("\n\n\n\n", "\n\n\n")

    def _head(self) -> str:
        lines = [
            f"ModelNew: what {self.origin.class_name} of '{self.origin.case}' computes, {self.execution.description}.",
            *self.notes,
        ]
        return "\n".join(f"# {line}".rstrip() for text in lines for line in textwrap.wrap(text, 116) or [""]) + "\n"

    def _imports(self, body: str) -> Iterator[str]:
        whole = body + self._record()
        wanted = {**IMPORTS, self.functional: f"import {FUNCTIONAL} as {self.functional}"}
        if self.kernels:
            wanted |= TRITON
        if self.fields:
            wanted |= TYPED
        whole += "".join([*self.helpers.values(), *(kernel.source for kernel in self.kernels)])
        means = {"torch": "torch", self.functional: FUNCTIONAL, "nn": "torch.nn", "triton": "triton"}
        means |= {"tl": "triton.language", "NamedTuple": "typing.NamedTuple", "base64": "base64", "zlib": "zlib"}
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
        conditions = [*mode_conditions(self.origin.module, self.outline), *self.arguments.conditions]
        if self.kernels:
            interpreted = f"not isinstance({self.kernels[0].kernels[0]}, triton.JITFunction)"
            runs = f"({self._device_of_first()}.type == 'cuda' or {interpreted})"
            conditions += ["not torch.is_grad_enabled()", runs]
        prepared = f"self.{self.names.prepared}({self._device_of_first()})"
        conditions += [f"{prepared}.{self.fields[node]}" for node in self.parts.assumed]
        finite = self._finite()
        if self.source is not None and (self._loses_nan or self.graph.meta.get(FINITE_INPUTS)):
            conditions += finite
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
            kept = [f"kept = {prepared}"] if self._computes_with_kept else []
            return lines + [INDENT * 2 + line for line in [*self._renamed(), *kept, *self._body()]]
        given = list(self.arguments.tensors.values())
        if self._computes_with_kept:
            given.append(prepared)
        function = f"self.{self.names.compute}"
        if self._compiles_apart:
            test = " and ".join(finite)
            lines += [
                f"{INDENT * 2}# The compiled code would lose NaN.",
                f"{INDENT * 2}run = self.{self.names.compiled} if {test} else {function}",
            ]
            function = "run"
        return [*lines, f"{INDENT * 2}return {function}({', '.join(given)})"]

    def _finite(self) -> list[str]:
        """Conditions under which no input holds NaN or infinity."""
        return [text for node, given in self.arguments.tensors.items() for text in is_finite(given, node)]

    def _compute(self) -> list[str]:
        decorator = self.execution.decorator(random=self.captured.random)
        parameters = ["self", *self._parameters().values(), *(["kept"] if self._computes_with_kept else [])]
        function = [
            f"{INDENT}def {self.names.compute}({', '.join(parameters)}):",
            *(INDENT * 2 + line for line in self._body()),
        ]
        if self._compiles_apart:
            compiled = f"{decorator.removeprefix('@')}({self.names.compute})"
            return [*function, "", f"{INDENT}{self.names.compiled} = {compiled}"]
        return [f"{INDENT}{decorator}", *function]

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
        forbidden = {"self", "device", "F", "torch", "nn", *fixed.values(), *self.helpers}
        program = [node for node in self.parts.prepared if node.op == "call_function"]
        variables = Variables(program, fixed, {}, forbidden, list(self.fields))
        body = Body(variables, "device", {})
        lines += body.lines(program, unpackings(program))
        asked = dict.fromkeys(self.parts.assumed, ".cpu()")  # in each call
        values = ", ".join(f"{field}={variables[node]}{asked.get(node, '')}" for node, field in self.fields.items())
        what = '"""What of `forward` depends on parameters only."""'
        whole = textwrap.wrap(f"return {self.names.record}({values})", 108, subsequent_indent=INDENT)
        head = f"{INDENT}def {self.names.prepare}(self, device):"
        return [head, *(INDENT * 2 + line for line in [what, *lines, *whole])]

    def _prepared(self) -> str:
        marks = watch.FROZEN if self.execution.freezes else watch.STATIC if self.execution.compiles else ""
        names = {key: getattr(self.names, key) for key in ("prepared", "prepare", "kept", "sources", "watch")}
        text = watch.PREPARED.format(marks=marks.format(record=self.names.record), **names)
        return text.rstrip() + "\n"

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

    def _parameters(self) -> dict[fx.Node, str]:
        """Per placeholder, a name for its tensor."""
        return {node: re.sub(r"\W+", "_", text).strip("_") for node, text in self.arguments.tensors.items()}

    def _body(self) -> list[str]:
        output: tuple[Any, ...] = tuple(self.graph.graph.output_node().args[0])  # type: ignore[arg-type]
        ends = [leaf for leaf in output if isinstance(leaf, fx.Node)]
        fixed = {node: f"kept.{field}" for node, field in self.fields.items()}
        for node in self.graph.graph.nodes:
            if node.op == "get_attr" and node not in fixed and node.target not in self.constants:
                fixed[node] = path_to(self.outline, str(node.target))
        placeholders = self._parameters()
        forbidden = {"self", "kept", "F", "torch", "nn", *self.arguments.names, *self.helpers}
        forbidden |= {each.name for each in self.kernels}
        symbols = symbols_of(self.parts.computed, placeholders, forbidden)
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
        if not same_layout(original, leaf.meta["val"]):
            return text + relayout(original)
        memory = memory_of(leaf)
        shares = memory.op != "call_function" or memory in self.fields
        again = leaf in output[:index] and self.captured.outputs[output.index(leaf)] is not original
        return f"{text}.clone()" if again or (shares and not self.captured.shared[index]) else text
