"""The text of `optimized.py`: one module that computes a graph in the place of the original."""

from collections.abc import Sequence

from torch import fx

from netwright_fusion.capture import Captured
from netwright_fusion.emission.arguments import handed_on, signature_text
from netwright_fusion.emission.document import INDENT, Document
from netwright_fusion.emission.errors import EmissionError
from netwright_fusion.emission.execution import Execution
from netwright_fusion.emission.source import fitting_source, imported
from netwright_fusion.origin import Origin


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
        EmissionError: Something cannot be written down, or weights cannot be frozen, for a call writes to buffers.
    """
    if execution.freezes and captured.mutates:
        raise EmissionError("weights cannot be frozen where a call writes to buffers")
    return Document(captured, origin, execution, notes).text()


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
    body = f'{INDENT}"""The original, run {execution.description}."""\n'
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


def _own_arguments(origin: Origin) -> tuple[str, str]:
    text = signature_text(origin.module) or "self, *args, **kwargs"
    return text, handed_on(text)
