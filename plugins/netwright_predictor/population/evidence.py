"""Evidence: what the structure of a model says of a parameter, and where."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from netwright_predictor.structure.arguments import Value
from netwright_predictor.structure.node import StructureNode
from netwright_predictor.structure.parse import parse_structure

Lookup = Callable[[str], int | None]
"""The value of another parameter, or None."""


@dataclass(frozen=True)
class Finding:
    """A value, the path of the arguments that it was read from, and how it was computed from them."""

    value: Any
    source: str
    formula: str = ""


QUERIES = ("q_proj", "query", "q", "wq", "q_lin", "query_proj", "to_q")
KEYS = ("k_proj", "key", "k", "wk", "k_lin", "key_proj", "to_k")
FUSED = ("c_attn", "query_key_value", "qkv_proj", "qkv", "Wqkv", "in_proj")
WIDENING = ("up_proj", "gate_proj", "fc1", "c_fc", "dense_h_to_4h", "fc_in", "wi_0", "wi", "w1", "lin1")
WIDENING_TWICE = ("gate_up_proj",)
TOKEN_TABLES = ("embed_tokens", "wte", "word_embeddings", "tok_embeddings", "embed_in", "shared", "token_embedding")
HEADS = ("lm_head", "embed_out")
LAYER_LISTS = ("layers", "h", "blocks", "block", "layer")
OWN_NAMES = {"in_features": ("nx",), "out_features": ("nf",)}
"""Other names of a parameter among a module's arguments."""


class StructureIndex:
    """A structure by class."""

    def __init__(self, tree: StructureNode) -> None:
        self.tree = tree
        self._by_name: dict[str, list[tuple[str, StructureNode]]] = defaultdict(list)
        self._own_values: dict[tuple[str, str], list[tuple[str, Value]]] = {}
        for path, node, _ in tree.walk():
            self._by_name[node.class_name].append((path, node))

    def instances(self, module_class: str) -> list[tuple[str, StructureNode]]:
        """The modules of a class with their paths; plain names, as PyTorch prints them, match any module's."""
        named = self._by_name.get(module_class.rpartition(".")[2], [])
        return [
            (path, node)
            for path, node in named
            if node.class_path == module_class or "." not in node.class_path or "." not in module_class
        ]

    def by_instance(self, parameter: str, module_class: str, lookup: Lookup) -> list[tuple[str, Value]]:
        """What each module of a class says of a parameter, in its arguments or by the sizes of its children."""
        own = self._own(parameter, module_class)
        reading = READINGS.get(parameter)
        if own or reading is None:
            return own
        parents = [(path, node) for path, node in self.instances(module_class) if node.children]
        return [(found.source, found.value) for path, node in parents for found in reading(path, node, lookup)]

    def _own(self, parameter: str, module_class: str) -> list[tuple[str, Value]]:
        if (parameter, module_class) not in self._own_values:
            found = ((path, own_value(parameter, node)) for path, node in self.instances(module_class))
            self._own_values[parameter, module_class] = [
                (path or "the model", value[0]) for path, value in found if value
            ]
        return self._own_values[parameter, module_class]

    def search(self, parameter: str, module_class: str, lookup: Lookup) -> list[Finding]:
        """What the modules of a class say, else what is inside them, else what the whole model says.

        Args:
            lookup: Gives other parameters that a formula needs.
        """
        instances = self.instances(module_class) if module_class else []
        own = [
            Finding(value[0], _join(path, value[1]))
            for path, node in instances or (self.tree_nodes() if not module_class else ())
            if (value := own_value(parameter, node))
        ]
        if own:
            return _distinct(own)
        reading = READINGS.get(parameter)
        if reading is None:
            return []
        places = [(place, each) for path, node in instances for place, each, _ in node.walk(path)]
        inside = _distinct([found for place, each in places for found in reading(place, each, lookup)])
        if inside:
            return inside
        return _distinct([found for path, node in self.tree_nodes() for found in reading(path, node, lookup)])

    def tree_nodes(self) -> list[tuple[str, StructureNode]]:
        """Every module with its path."""
        return [(path, node) for path, node, _ in self.tree.walk()]


@lru_cache(maxsize=32)
def index_text(text: str) -> StructureIndex:
    """The index of a structure text; raises as `parse_structure`."""
    return StructureIndex(parse_structure(text))


def own_value(parameter: str, node: StructureNode) -> tuple[Value, str] | None:
    """What a module's own arguments say of a parameter, and the argument's name."""
    values = node.values
    for name in (parameter, *OWN_NAMES.get(parameter, ())):
        if name in values:
            return values[name], name
    return _matrix(parameter, node.class_name, values)


def _matrix(parameter: str, class_name: str, values: Mapping[str, Value]) -> tuple[Value, str] | None:
    """The sizes of transformers' `Conv1D`, a linear layer that keeps its weight the other way round."""
    weight = values.get("weight")
    if class_name == "Conv1D" and isinstance(weight, tuple) and len(weight) == 2:
        axis = {"in_features": 0, "out_features": 1}.get(parameter)
        if axis is not None:
            return weight[axis], f"weight[{axis}]"
    return None


def _child(node: StructureNode, names: tuple[str, ...], feature: str, path: str) -> Iterator[tuple[int, str]]:
    """The size of the first child of one of these names, and where it stands."""
    for name in names:
        child = next((each for each in node.children if each.name == name), None)
        value = own_value(feature, child) if child is not None else None
        if value and isinstance(value[0], int):
            yield value[0], _join(_join(path, name), value[1])
            return


def _hidden_size(path: str, node: StructureNode, lookup: Lookup) -> Iterator[Finding]:  # noqa: ARG001 - as all readings
    if node.name in TOKEN_TABLES and isinstance(size := node.values.get("embedding_dim"), int):
        yield Finding(size, _join(path, "embedding_dim"))
    for size, source in _child(node, (*QUERIES, *FUSED, *WIDENING, *WIDENING_TWICE), "in_features", path):
        yield Finding(size, source)


def _vocab_size(path: str, node: StructureNode, lookup: Lookup) -> Iterator[Finding]:  # noqa: ARG001
    if node.name in TOKEN_TABLES and isinstance(size := node.values.get("num_embeddings"), int):
        yield Finding(size, _join(path, "num_embeddings"))
    if node.name in HEADS and isinstance(size := node.values.get("out_features"), int):
        yield Finding(size, _join(path, "out_features"))


def _intermediate_size(path: str, node: StructureNode, lookup: Lookup) -> Iterator[Finding]:  # noqa: ARG001
    for size, source in _child(node, WIDENING, "out_features", path):
        yield Finding(size, source)
    for size, source in _child(node, WIDENING_TWICE, "out_features", path):
        yield Finding(size // 2, source, "out_features // 2")


def _num_hidden_layers(path: str, node: StructureNode, lookup: Lookup) -> Iterator[Finding]:  # noqa: ARG001
    if node.name in LAYER_LISTS and node.class_name == "ModuleList":
        yield Finding(sum(child.repeat for child in node.children), path, "layers in the list")
    elif node.name == "decoder_layer":  # an architecture: its lists stand as their layers
        yield Finding(node.repeat, _join(path, "repeat"))


def _heads(names: tuple[str, ...]) -> Callable[[str, StructureNode, Lookup], Iterator[Finding]]:
    def read(path: str, node: StructureNode, lookup: Lookup) -> Iterator[Finding]:
        for size, source in _child(node, names, "out_features", path):
            head_dim = _normalised_width(node, size) or lookup("head_dim")
            if head_dim is not None and head_dim > 0 and size % head_dim == 0:
                yield Finding(size // head_dim, source, f"out_features // head_dim = {size} // {head_dim}")

    return read


def _head_dim(path: str, node: StructureNode, lookup: Lookup) -> Iterator[Finding]:
    for size, source in _child(node, QUERIES, "out_features", path):
        width = _normalised_width(node, size)
        heads = lookup("num_attention_heads") if width is None else None
        if width is not None:
            yield Finding(width, _join(path, "q_norm.weight[0]"))
        elif heads is not None and heads > 0 and size % heads == 0:
            yield Finding(size // heads, source, f"out_features // num_attention_heads = {size} // {heads}")


def _normalised_width(attention: StructureNode, projected: int) -> int | None:
    """The width of a head where an attention normalises each one's queries, rather than all of them together."""
    norm = next((child for child in attention.children if child.name == "q_norm"), None)
    weight = norm.values.get("weight") if norm is not None else None
    if not (isinstance(weight, tuple) and len(weight) == 1 and isinstance(weight[0], int)):
        return None
    width = weight[0]
    return width if 0 < width < projected and projected % width == 0 else None


def _num_experts(path: str, node: StructureNode, lookup: Lookup) -> Iterator[Finding]:  # noqa: ARG001
    for name, value in node.values.items():
        if isinstance(value, tuple) and len(value) == 3 and "expert" in node.class_name.lower():
            yield Finding(value[0], _join(path, f"{name}[0]"))
            return


READINGS: dict[str, Callable[[str, StructureNode, Lookup], Iterator[Finding]]] = {
    "hidden_size": _hidden_size,
    "vocab_size": _vocab_size,
    "intermediate_size": _intermediate_size,
    "num_hidden_layers": _num_hidden_layers,
    "head_dim": _head_dim,
    "num_attention_heads": _heads(QUERIES),
    "num_key_value_heads": _heads(KEYS),
    "num_experts": _num_experts,
    "num_local_experts": _num_experts,
}
"""What a module and its children say of a parameter that is not among its arguments."""


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _distinct(findings: list[Finding]) -> list[Finding]:
    """Of findings with equal values, the first."""
    return list({repr(found.value): found for found in reversed(findings)}.values())[::-1]
