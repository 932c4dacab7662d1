"""Making a captured graph functional: in-place operators on values of its own become their plain counterparts."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from netwright_fusion.graph import arguments, call, dtype, is_helper, names, operator_name, shape, value, written

ALIASES = frozenset({"lift_fresh_copy", "lift_fresh", "detach_"})
"""What tracing puts around constants that a forward makes (`torch.tensor(2.0)`)."""
SOMETIMES_VIEWS = names(
    """alpha_dropout atleast_1d atleast_2d atleast_3d broadcast_tensors cartesian_prod contiguous dropout expand_as
    feature_alpha_dropout feature_dropout flatten meshgrid ravel reshape reshape_as sum_to_size to type_as unflatten"""
)
"""Composites that return a view of their argument, or itself, where they can; their schemas do not say so."""
CONSTANT = "constant"
"""In a node's `meta`: whether it reads a tensor that the forward makes of numbers, the same in every call."""
LAST = 2**63 - 1
"""What tracing writes for the end of `x[:]`."""
ENDS: dict[str, tuple[Any, ...]] = {"start": (None, 0), "end": (None, LAST), "step": (1,)}
"""What `slice` need not be told."""
COUNTERPARTS = {torch.ops.aten.bernoulli_.float: torch.ops.aten.bernoulli.p}
"""Plain counterparts that go by another overload's name, and have no defaults."""
SCATTERS: dict[Any, Any] = {
    torch.ops.aten.slice.Tensor: torch.ops.aten.slice_scatter.default,
    torch.ops.aten.select.int: torch.ops.aten.select_scatter.default,
}
"""By an operator that picks a part of a tensor, the one that yields the tensor with another part in its place."""
MODES = frozenset({"wrap_with_set_grad_enabled"})


def inline_modes(graph: fx.GraphModule) -> None:
    """Put blocks that ran under `torch.no_grad()` into the graph itself, their results detached."""
    for node in list(graph.graph.nodes):
        if node.op != "call_function" or getattr(node.target, "__name__", "") not in MODES:
            continue
        enabled, block, *inputs = node.args
        inner = getattr(graph, str(block.target))
        inline_modes(inner)
        with graph.graph.inserting_before(node):
            if not enabled:
                inputs = _without_gradients(graph.graph, inner, inputs)
            results = _inline(graph.graph, inner, inputs)
            if not enabled:
                results = [_detached(graph.graph, each) for each in results]
        for user in list(node.users):
            user.replace_all_uses_with(results[user.args[1]])
            graph.graph.erase_node(user)
        graph.graph.erase_node(node)
        if not block.users:
            graph.graph.erase_node(block)


def make_functional(graph: fx.GraphModule) -> None:
    """Replace in-place operators by plain ones wherever nothing else sees the memory that they write to.

    So do writes to parts of what nothing else has a view of (`y[:, 1:] = x`). Buffers and inputs are written as before,
    and so is what has views: `remaining_writes` names the latter.
    """
    for node in list(graph.graph.nodes):
        if operator_name(node) in ALIASES and node.args[0].op == "get_attr":
            _use_constant(node)
        elif _is_whole_slice(node) or operator_name(node) == "alias" or _detaches_constant(node):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
        elif (buffer := _buffer_written_again(node)) is not None:
            node.update_arg(0, buffer)
    for node in list(graph.graph.nodes):
        if node.target in COUNTERPARTS:
            node.args = _positional(node)
        plain = _plain_counterpart(node)
        if plain is not None and _sees_alone(node) and _yields_the_same(node, plain):
            changed = node.args[0]
            node.target = plain
            _use_from(node, changed, node)
        elif (parts := _parts_written_to(node)) is not None:
            _write_part(node, parts)


def remaining_writes(graph: fx.GraphModule) -> tuple[str, ...]:
    """Names of the nodes that write to something else than a buffer or parameter."""
    return tuple(node.name for node in graph.graph.nodes if any(changed.op != "get_attr" for changed in written(node)))


def memory_of(node: fx.Node) -> fx.Node:
    """The node whose memory a value may lie in: itself, or what it is a view of."""
    while node.op == "call_function" and node.all_input_nodes and _may_be_view(node):
        node = node.all_input_nodes[0]
    return node


def _inline(graph: fx.Graph, inner: fx.GraphModule, inputs: Any) -> list[Any]:
    copied: dict[fx.Node, fx.Node] = dict(zip(inner.graph.find_nodes(op="placeholder"), inputs, strict=True))
    outputs = graph.graph_copy(inner.graph, copied)
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


def _without_gradients(graph: fx.Graph, inner: fx.GraphModule, inputs: Any) -> list[Any]:
    """The inputs of a block; where it writes to some, as a spectral norm's power iteration does, the others are
    detached: what is written would take part in gradients otherwise.
    """
    holders = inner.graph.find_nodes(op="placeholder")
    changed = {each for node in inner.graph.nodes for each in written(node)}
    return [
        _detached(graph, each) if changed and holder not in changed else each
        for each, holder in zip(inputs, holders, strict=True)
    ]


def _detached(graph: fx.Graph, node: Any) -> Any:
    if not isinstance(node, fx.Node) or not isinstance(node.meta.get("val"), Tensor):
        return node
    detached = graph.call_function(torch.ops.aten.detach.default, (node,))
    detached.meta = dict(node.meta)
    return detached


def _use_constant(node: fx.Node) -> None:
    """Let the users of a constant's copy use the constant, unless it is written to: then each call has its own."""
    if _is_written_to(node):
        node.target = torch.ops.aten.clone.default
        return
    constant = node.args[0]
    assert isinstance(constant, fx.Node)
    if operator_name(node) != "detach_":
        constant.meta[CONSTANT] = True
    node.replace_all_uses_with(constant)
    node.graph.erase_node(node)


def _is_written_to(node: fx.Node) -> bool:
    """Whether a later call changes a value, by itself or through a view of it."""
    pending = [node]
    while pending:
        each = pending.pop()
        for user in each.users:
            if each in written(user) and operator_name(user) != "detach_":
                return True
            if user.op == "call_function" and _may_be_view(user):
                pending.append(user)
    return False


def _detaches_constant(node: fx.Node) -> bool:
    """Whether a call detaches the copy of a constant, which has no gradient anyway."""
    copied = node.args[0] if operator_name(node) == "detach_" else None
    return (
        isinstance(copied, fx.Node) and operator_name(copied) == "clone" and copied.all_input_nodes[0].op == "get_attr"
    )


def _is_whole_slice(node: fx.Node) -> bool:
    """Whether a call is `x[:]` along some dimension."""
    if operator_name(node) != "slice":
        return False
    given = arguments(node)
    return given["start"] in (0, None) and given["step"] == 1 and given["end"] in (None, LAST)


def _buffer_written_again(node: fx.Node) -> fx.Node | None:
    """The buffer that a call writes to by way of an earlier call's result, which is that buffer, or None."""
    first = node.args[0] if node.args else None
    if not isinstance(first, fx.Node) or first.op != "call_function" or written(node) != (first,):
        return None
    buffer = first.args[0]
    same = operator_name(first).endswith("_") and written(first) == (buffer,)
    return buffer if same and isinstance(buffer, fx.Node) and buffer.op == "get_attr" else None


def _plain_counterpart(node: fx.Node) -> Any:
    """The operator that yields what this one writes to its first argument, or None."""
    name = operator_name(node)
    if not name.endswith("_") or written(node) != node.args[:1]:
        return None
    if node.target in COUNTERPARTS:
        return COUNTERPARTS[node.target]
    plain = name.replace("__i", "__") if name.endswith("__") else name.rstrip("_")  # `__iand__` is `&=`
    packet = getattr(torch.ops.aten, plain, None)
    return getattr(packet, node.target._overloadname, None)  # type: ignore[union-attr]


def _positional(node: fx.Node) -> tuple[Any, ...]:
    """The arguments that are not by keyword only, defaults filled in."""
    schema = node.target._schema  # type: ignore[union-attr]
    return tuple(arguments(node)[each.name] for each in schema.arguments if not each.kwarg_only)


def _sees_alone(node: fx.Node) -> bool:
    """Whether the memory that an in-place call writes to belongs to its first argument, and has no views yet."""
    changed = node.args[0]
    if not isinstance(changed, fx.Node) or changed.op != "call_function" or _may_be_view(changed):
        return False
    return not any(_may_be_view(user) and user < node for user in changed.users)


def _parts_written_to(node: fx.Node) -> list[fx.Node] | None:
    """The picks through which an in-place call writes to a part of a value, the last one first; None where something
    else may see the memory of that value.
    """
    parts: list[fx.Node] = []
    user, part = node, node.args[0] if node.args else None
    while isinstance(part, fx.Node) and part.target in SCATTERS and set(part.users) == {user}:
        parts.append(part)
        user, part = part, part.args[0]
    if not parts or not isinstance(part, fx.Node) or part.op != "call_function" or _may_be_view(part):
        return None
    if written(node) != (parts[0],) or any(_may_be_view(each) and node in each.args[:1] for each in node.users):
        return None
    sources = [each for each in node.args[1:] if isinstance(each, fx.Node)]
    if any(memory_of(each) is part or value(each).device != value(part).device for each in sources):
        return None
    return None if _is_seen_after(node, part, parts[-1]) else parts


def _is_seen_after(node: fx.Node, whole: fx.Node, pick: fx.Node) -> bool:
    """Whether something that comes after a node uses a view that was made before it, by other than one pick."""
    pending = [each for each in whole.users if each is not pick and each < node and _may_be_view(each)]
    while pending:
        for user in pending.pop().users:
            if node < user:
                return True
            if _may_be_view(user):
                pending.append(user)
    return False


def _write_part(node: fx.Node, parts: list[fx.Node]) -> None:
    """Let a call that writes to a part of a value yield the whole value instead."""
    graph, part, whole = node.graph, parts[0], parts[-1].args[0]
    assert isinstance(whole, fx.Node)
    if _is_there(node, parts):
        node.replace_all_uses_with(part)
        graph.erase_node(node)
        return
    with graph.inserting_before(node):
        if node.target is torch.ops.aten.copy_.default:
            new = _as_part(graph, node.args[1], part)
        elif node.target is torch.ops.aten.fill_.Scalar:
            new = call(graph, torch.ops.aten.full_like.default, part, node.args[1])
        else:
            plain = _plain_counterpart(node)
            if plain is None or not _yields_the_same(node, plain):
                return
            new = call(graph, plain, *node.args, **node.kwargs)
        changed = new
        for each in parts:
            changed = call(graph, SCATTERS[each.target], each.args[0], changed, **_where(each))
    node.replace_all_uses_with(new)
    _use_from(node, whole, changed)
    for each in (node, *parts):
        if not each.users:
            graph.erase_node(each)


def _is_there(node: fx.Node, parts: Sequence[fx.Node]) -> bool:
    """Whether a call copies to a part what was put there just now, as the second half of `y[0] += x` does."""
    if node.target is not torch.ops.aten.copy_.default:
        return False
    found: Any = parts[-1].args[0]
    for each in reversed(parts):
        if found.target is not SCATTERS[each.target] or found.kwargs != _where(each):
            return False
        found = found.args[1]
    return found is node.args[1]


def _where(pick: fx.Node) -> dict[str, Any]:
    """Which part an operator picks: its arguments beside the tensor, without ends that are the tensor's own."""
    return {name: each for name, each in arguments(pick).items() if name != "self" and each not in ENDS.get(name, ())}


def _as_part(graph: fx.Graph, source: Any, part: fx.Node) -> fx.Node:
    """What copying from a source leaves in a part."""
    if dtype(source) is not dtype(part):
        source = call(graph, torch.ops.aten.to.dtype, source, dtype(part))
    if shape(source) != shape(part):
        source = call(graph, torch.ops.aten.expand_as.default, source, part)
    result: fx.Node = source
    return result


def _use_from(node: fx.Node, old: fx.Node, new: fx.Node) -> None:
    """Let what comes after a node use another value."""
    old.replace_all_uses_with(new, delete_user_cb=lambda user: user is not node and node < user)


def _yields_the_same(node: fx.Node, plain: Any) -> bool:
    """Whether the plain operator's result has the type and shape of what the in-place one writes to."""
    changed = node.args[0]
    with node.graph.inserting_before(node):
        new = call(node.graph, plain, *node.args, **node.kwargs)
    node.graph.erase_node(new)
    expected, found = changed.meta["val"], new.meta["val"]  # type: ignore[union-attr]
    return expected.dtype is found.dtype and bool(expected.shape == found.shape)


def _may_be_view(node: fx.Node) -> bool:
    """Whether a call's result may share its argument's memory: by its schema, and `reshape` and its kin besides. One of
    several results (`getitem`) does so if those do.
    """
    schema = getattr(node.target, "_schema", None)
    if operator_name(node) == "getitem":
        return isinstance(node.args[0], fx.Node) and node.args[0].op == "call_function" and _may_be_view(node.args[0])
    if schema is None:
        return "kernel" not in node.meta and not is_helper(node)
    if operator_name(node) in SOMETIMES_VIEWS:
        return True
    if operator_name(node) == "einsum":
        return len(node.args[1]) == 1  # type: ignore[arg-type]
    return any(each.alias_info is not None for each in schema.returns)


def _type_of(node: fx.Node) -> object:
    return getattr(node.meta.get("val"), "dtype", None)
