"""Small helpers over a captured graph: what a node holds, where it comes from, and how nodes are added and replaced."""

import inspect
import operator
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, fx
from torch._dispatch.python import enable_python_dispatcher
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.fx.node import map_arg


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


RANDOM_OPERATORS = names(
    """alpha_dropout bernoulli dropout exponential feature_alpha_dropout feature_dropout geometric multinomial
    native_dropout normal poisson rand rand_like randint randint_like randn randn_like randperm rrelu uniform"""
)
"""ATen operators that draw from the global generator; with an underscore at the end, in place."""
_given_sizes: WeakKeyDictionary[ShapeEnv, dict[Any, int]] = WeakKeyDictionary()
ASSUMPTION = torch.ops.aten._assert_async.msg
"""Says what a graph needs to be true (see `assume`)."""
STATEFUL_NORMS = frozenset({torch.ops.aten.batch_norm.default, torch.ops.aten.instance_norm.default})


def value(node: fx.Node) -> Any:
    """What the node yields as a fake: a fake tensor, a tuple of those, or a symbolic number."""
    return node.meta["val"]


def is_tensor(node: object) -> bool:
    """Whether a node's value is one tensor."""
    return isinstance(node, fx.Node) and isinstance(node.meta.get("val"), Tensor)


def shape(node: fx.Node) -> tuple[Any, ...]:
    """The sizes of a node's tensor: ints, and SymInts where a size depends on the batch."""
    return sizes_of(value(node))


def sizes_of(tensor: Tensor) -> tuple[Any, ...]:
    """A fake's sizes; a symbol whose value tracing settled on (the forward asked for the very number) is an int."""
    return tuple(_settled(size) for size in tuple(tensor.shape))


def _settled(size: Any) -> Any:
    settled = None if isinstance(size, int) else size.node.maybe_as_int()
    return size if settled is None else int(settled)


def static_tail(node: fx.Node) -> tuple[int, ...] | None:
    """All sizes but the first, or None where one of them is symbolic."""
    tail = shape(node)[1:]
    return tuple(int(size) for size in tail) if all(isinstance(size, int) for size in tail) else None


def is_static(node: fx.Node) -> bool:
    """Whether no size of a node's tensor depends on the batch."""
    return all(isinstance(size, int) for size in shape(node))


def size_hint(size: Any) -> int:
    """A size as it was when the graph was captured, symbolic or not; 1 where it depends on data."""
    if isinstance(size, int):
        return int(size)
    given = _given_sizes.get(size.node.shape_env)
    if given is not None:
        return int(size.node.expr.xreplace(given))
    return int(size.node.hint) if size.node.has_hint() else 1


def note_given_sizes(environment: ShapeEnv, sizes: dict[Any, int]) -> None:
    """Let `size_hint` say other sizes for symbols than those that were traced with."""
    _given_sizes[environment] = sizes


def elements(node: fx.Node) -> int:
    """How many elements a node's tensor had when the graph was captured."""
    count = 1
    for size in shape(node):
        count *= size_hint(size)
    return count


def same_layout(original: Tensor, now: Tensor) -> bool:
    """Whether two tensors of one shape lie in memory alike, where a stride means anything."""
    meaningful = [
        (size_hint(size), size_hint(left), size_hint(right))
        for size, left, right in zip(original.shape, original.stride(), now.stride(), strict=True)
    ]
    return all(size == 1 or left == right for size, left, right in meaningful)


def dtype(node: fx.Node) -> torch.dtype:
    """The element type of a node's tensor."""
    kind: torch.dtype = value(node).dtype
    return kind


def is_call(node: object, *operators: Any) -> bool:
    """Whether a node calls one of the operators: ATen overloads, whole packets (`torch.ops.aten.sum`) or functions."""
    if not isinstance(node, fx.Node) or node.op != "call_function":
        return False
    packet = getattr(node.target, "overloadpacket", None)
    return any(node.target is each or (packet is not None and packet is each) for each in operators)


def operator_name(node: fx.Node) -> str:
    """The operator's bare name, such as "linear" of aten.linear.default; a function's own name; "" of other nodes."""
    if node.op != "call_function":
        return ""
    packet = getattr(node.target, "overloadpacket", None)
    return str(packet.__name__ if packet is not None else getattr(node.target, "__name__", ""))


def is_helper(node: fx.Node) -> bool:
    """Whether a node calls a function of this package, whose text goes into the files that call it."""
    return str(getattr(node.target, "__module__", "")).startswith("netwright_fusion.")


def arguments(node: fx.Node) -> dict[str, Any]:
    """An ATen call's arguments by the names of its schema, defaults filled in; a helper's by those of its signature.

    Raises:
        TypeError: The node does not call an ATen operator.
    """
    if is_helper(node):
        return dict(inspect.signature(node.target).bind(*node.args, **node.kwargs).arguments)  # type: ignore[arg-type]
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        raise TypeError(f"{node} does not call an ATen operator")
    found = {}
    for index, argument in enumerate(schema.arguments):
        if index < len(node.args) and not argument.kwarg_only:
            found[argument.name] = node.args[index]
        elif argument.name in node.kwargs:
            found[argument.name] = node.kwargs[argument.name]
        else:
            found[argument.name] = argument.default_value if argument.has_default_value() else None
    return found


def is_parameter(node: object) -> bool:
    """Whether a node reads a parameter, a buffer or a constant tensor of the module."""
    return isinstance(node, fx.Node) and node.op == "get_attr" and isinstance(node.meta.get("val"), Tensor)


def from_parameters(node: object) -> bool:
    """Whether a value depends on parameters, buffers and constants only; numbers and lists of those, too.

    Sizes count as inputs. What draws random numbers or writes to a buffer never counts.
    """
    seen: dict[fx.Node, bool] = {}

    def depends(each: fx.Node) -> bool:
        if each not in seen:
            seen[each] = False
            if each.op == "get_attr":
                seen[each] = is_parameter(each) and not _is_written(each)
            elif each.op == "call_function":
                seen[each] = not is_impure(each) and all(depends(source) for source in each.all_input_nodes)
        return seen[each]

    if isinstance(node, fx.Node):
        return depends(node)
    return not isinstance(node, (list, tuple)) or all(from_parameters(item) for item in node)


def is_impure(node: fx.Node) -> bool:
    """Whether a call does more than yield a value: draws random numbers, writes to a tensor, updates statistics, or
    insists on something.
    """
    return is_random(node) or bool(written(node)) or is_call(node, ASSUMPTION)


def assume(graph: fx.Graph, condition: fx.Node, what: str) -> None:
    """Let the graph be right only where a value that depends on parameters, buffers and constants is true.

    Called by itself, the graph raises where it is not; an emitted module then runs the original.

    Args:
        condition: A tensor of one boolean.
        what: Says what is not as it was.
    """
    call(graph, ASSUMPTION, condition, what)


def is_random(node: fx.Node) -> bool:
    """Whether a call draws from the global random generator, so that it must neither go nor change places."""
    name = operator_name(node).rstrip("_")
    if name in RANDOM_OPERATORS:
        given = arguments(node) if hasattr(node.target, "_schema") else {}
        return bool(given.get("train", given.get("training", True))) and given.get("p", 1) != 0
    if name in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        given = arguments(node)
        return bool(given.get("train")) and given.get("dropout", 0) != 0
    return name == "scaled_dot_product_attention" and arguments(node)["dropout_p"] != 0


def written(node: fx.Node) -> tuple[fx.Node, ...]:
    """The argument nodes whose memory a call changes: of in-place operators, and statistics of norms in train mode."""
    schema = getattr(node.target, "_schema", None)
    if node.op != "call_function" or schema is None:
        return ()
    given = arguments(node)
    if node.target in STATEFUL_NORMS:
        training = given.get("training", given.get("use_input_stats"))
        statistics = (given["running_mean"], given["running_var"])
        return tuple(each for each in statistics if isinstance(each, fx.Node)) if training else ()
    changed = [
        given[each.name] for each in schema.arguments if each.alias_info is not None and each.alias_info.is_write
    ]
    return tuple(node for each in changed for node in (each if isinstance(each, (list, tuple)) else [each]) if node)


def only_user(node: fx.Node) -> fx.Node | None:
    """The one node that uses this one's value, or None where there are none or several."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def replace(old: fx.Node, new: fx.Node) -> None:
    """Let everything that uses `old` use `new` instead; `old` goes if nothing needs it any more."""
    old.replace_all_uses_with(new, delete_user_cb=lambda user: user is not new)
    if not old.users and not is_impure(old):
        old.graph.erase_node(old)


def call(graph: fx.Graph, target: Callable[..., Any], *args: Any, **kwargs: Any) -> fx.Node:
    """A new call at the graph's insertion point (`with graph.inserting_before(node):`), its value computed on fakes.

    Give ATen overloads, `torch.ops.aten.mul.Tensor`, not packets: only those are recognised and written out well.

    Raises:
        Exception: Whatever the operator raises on such arguments; the graph is unchanged then.
    """
    fakes: tuple[Any, ...] = tuple(map_arg(args, value))
    named: dict[str, Any] = dict(map_arg(kwargs, value))
    with on_fakes(graph):
        result = target(*fakes, **named)
    node = graph.call_function(target, args, kwargs)
    node.meta["val"] = result
    return node


@contextmanager
def on_fakes(graph: fx.Graph) -> Iterator[None]:
    """Inside the block, operators work on the graph's fakes; what they ask of symbolic sizes settles none of them."""
    mode = fake_mode(graph)
    environment = getattr(mode, "shape_env", None)
    free = environment.suppress_guards() if environment else nullcontext()
    with torch.no_grad(), mode or nullcontext(), enable_python_dispatcher(), free:
        yield


def attribute(graph: fx.GraphModule, name: str) -> fx.Node:
    """The node that reads the parameter or buffer of that state-dict name, made where it is missing.

    Raises:
        AttributeError: The module has no such parameter or buffer.
    """
    found: list[fx.Node] = list(graph.graph.find_nodes(op="get_attr", target=name))
    if found:
        return found[0]
    tensor = operator.attrgetter(name)(graph)
    with graph.graph.inserting_before(next(iter(graph.graph.nodes))):
        node = graph.graph.get_attr(name)
    mode = fake_mode(graph.graph)
    node.meta["val"] = mode.from_tensor(tensor, static_shapes=True) if mode is not None else tensor
    return node


def tidy(graph: fx.GraphModule) -> None:
    """Remove what nothing uses (random draws and writes stay), check the graph, and compile its forward anew."""
    graph.graph.eliminate_dead_code(is_impure_node=lambda node: node.op in ("placeholder", "output") or is_impure(node))
    graph.graph.lint()
    graph.recompile()


def nodes(graph: fx.GraphModule, *operators: Any) -> Iterable[fx.Node]:
    """The nodes that call one of the operators, in order; safe to change the graph meanwhile."""
    return [node for node in graph.graph.nodes if is_call(node, *operators)]


def _is_written(node: fx.Node) -> bool:
    return any(node in written(user) for user in node.users)


def fake_mode(graph: fx.Graph) -> Any:
    """The mode that a graph's fakes belong to; None where it holds real tensors only."""
    for node in graph.nodes:
        found = getattr(node.meta.get("val"), "fake_mode", None)
        if found is not None:
            return found
    return None
