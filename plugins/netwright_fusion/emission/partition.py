"""What of a graph depends on parameters only, so that it can be computed once and kept."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, fx

from netwright_fusion.cost import VIEWS
from netwright_fusion.graph import ASSUMPTION, is_call, is_impure, is_parameter, operator_name, same_layout, written

CALLED = ("call_function", "get_attr")


@dataclass(frozen=True)
class Partition:
    """A graph in two parts.

    Attributes:
        prepared: Nodes that are computed once, in order, the reading of parameters included.
        kept: Those of them, or parameters, whose values the other part uses as prepared ones.
        assumed: Those that must be true for the graph to be right.
        sources: State-dict names of the parameters and buffers that they come from.
        computed: The nodes of every call, in order, without placeholders and output.
    """

    prepared: tuple[fx.Node, ...]
    kept: tuple[fx.Node, ...]
    assumed: tuple[fx.Node, ...]
    sources: tuple[str, ...]
    computed: tuple[fx.Node, ...]


def partition(graph: fx.GraphModule, constants: frozenset[str], plain: frozenset[str], *, freezes: bool) -> Partition:
    """Split a graph.

    Views of parameters are left where they are used: they cost next to nothing. What the output returns as it is stays
    in every call, too: two calls must not return the same memory.

    Args:
        constants: Names of `get_attr` nodes that the module does not have as attributes; they are always prepared.
        plain: Names of `get_attr` nodes that are attributes of the module, but no parameters or buffers; nobody could
            tell when they change, so that what depends on them is never prepared.
        freezes: Whether parameters themselves are to be kept, too.
    """
    nodes = list(graph.graph.nodes)
    returned = set(graph.graph.output_node().all_input_nodes)
    writes = any(changed.op != "get_attr" for node in nodes for changed in written(node))
    able: set[fx.Node] = set()
    for node in nodes:
        known = node.target not in plain if node.op == "get_attr" else able.issuperset(node.all_input_nodes)
        if known and _can_prepare(node, returned, constants, writes=writes):
            able.add(node)
    worth = {node for node in able if _is_work(node, able) or (node.op == "get_attr" and node.target in constants)}
    kept = {node for node in worth if any(user not in worth for user in node.users)}
    if freezes:
        kept |= {node for node in able if is_parameter(node) and any(user not in worth for user in node.users)}
    assumptions = {node: node.args[0] for node in nodes if is_call(node, ASSUMPTION)}
    assumptions = {node: condition for node, condition in assumptions.items() if condition in kept}
    needed = _needed_by(kept, frozenset())
    ends = [node for node in nodes if node.op == "output" or (node.op == "call_function" and is_impure(node))]
    called = _needed_by(ends, frozenset(kept))
    sources = dict.fromkeys(str(node.target) for node in nodes if node in needed and node.op == "get_attr")
    return Partition(
        prepared=tuple(node for node in nodes if node in needed),
        kept=tuple(node for node in nodes if node in kept),
        assumed=tuple(dict.fromkeys(assumptions.values())),
        sources=tuple(name for name in sources if name not in constants),
        computed=tuple(node for node in nodes if node in called and node not in assumptions and node.op in CALLED),
    )


def _needed_by(ends: Iterable[fx.Node], given: frozenset[fx.Node]) -> set[fx.Node]:
    """The nodes that others are computed from, those included; what is given is not looked behind, and left out."""
    found: set[fx.Node] = set()
    waiting = list(ends)
    while waiting:
        node = waiting.pop()
        if node not in found and node not in given:
            found.add(node)
            waiting += node.all_input_nodes
    return found


def _can_prepare(node: fx.Node, returned: set[fx.Node], constants: frozenset[str], *, writes: bool) -> bool:
    """Whether a node's value may be kept. Where intermediate values are written to, only constants may."""
    if node.op == "get_attr" and node.target in constants:
        return True
    if writes or node in returned or "kernel" in node.meta:
        return False
    if node.op == "get_attr":
        return is_parameter(node) and not any(node in written(user) for user in node.users)
    is_value = isinstance(node.meta.get("val"), (Tensor, tuple, list))
    return is_value and node.op == "call_function" and not is_impure(node)


def _is_work(node: fx.Node, able: set[fx.Node]) -> bool:
    """Whether computing a node takes more than looking at a parameter in another way."""
    if node.op != "call_function":
        return False
    if operator_name(node) not in VIEWS | {"reshape", "contiguous"} or _copies(node):
        return True
    return any(_is_work(source, able) for source in node.all_input_nodes if source in able)


def _copies(node: fx.Node) -> bool:
    """Whether what may be a view is none here, for its argument lies in memory otherwise."""
    source = node.args[0].meta.get("val") if isinstance(node.args[0], fx.Node) else None
    if not isinstance(source, Tensor):
        return False
    if operator_name(node) == "contiguous":
        return not same_layout(source, node.meta["val"])
    return operator_name(node) in ("reshape", "flatten") and not source.is_contiguous()
