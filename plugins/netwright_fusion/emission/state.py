"""Where a generated module finds the tensors that a graph reads by name."""

import keyword
from collections.abc import Mapping
from typing import Any

from torch import Tensor, fx, nn
from torch.nn import Parameter

from netwright_fusion.emission.errors import EmissionError

INDEXED = (nn.Sequential, nn.ModuleList, nn.ParameterList)
KEYED = (nn.ModuleDict, nn.ParameterDict)


def tensor_at(module: nn.Module, name: str) -> Tensor | None:
    """The parameter, buffer or plain attribute of that dotted name, or None where the module has none."""
    found: Any = module
    for part in name.split("."):
        if isinstance(found, nn.Module) and part in found._modules:
            found = found._modules[part]
        else:
            found = getattr(found, part, None)
    return found if isinstance(found, Tensor) else None


def path_to(module: nn.Module, name: str, root: str = "self") -> str:
    """The expression that reads a module's tensor, such as `self.layers[0].weight`.

    Raises:
        EmissionError: A name on the way cannot be written so.
    """
    text, owner = root, module
    for part in name.split("."):
        if isinstance(owner, KEYED):
            text += f'["{part}"]'
        elif part.isidentifier() and not keyword.iskeyword(part):
            text += f".{part}"
        elif isinstance(owner, INDEXED) and part.isdigit():
            text += f"[{part}]"
        elif isinstance(owner, nn.Module) and part in owner._modules:
            text += f'.get_submodule("{part}")'
        else:
            raise EmissionError(f"the attribute '{name}' cannot be written down")
        owner = owner._modules.get(part, None) if isinstance(owner, nn.Module) else None  # type: ignore[assignment]
    return text


def is_registered(module: nn.Module, name: str) -> bool:
    """Whether a name is a parameter's or buffer's, so that conversions and state dicts reach it."""
    owner_name, _, last = name.rpartition(".")
    owner = module.get_submodule(owner_name)
    tables: tuple[Mapping[str, Tensor | Parameter | None], ...] = (owner._parameters, owner._buffers)
    return any(last in table for table in tables)


def sort_attributes(
    graph: fx.GraphModule, module: nn.Module, *, attributes: bool
) -> tuple[dict[str, Tensor], frozenset[str]]:
    """Of what a graph reads by name: constants that a module does not have, and its attributes that are unregistered.

    Args:
        attributes: Whether the generated module has the original's plain attributes, too.
    """
    constants, plain = {}, set()
    for node in graph.graph.find_nodes(op="get_attr"):
        name = str(node.target)
        if tensor_at(module, name) is None or (not attributes and not is_registered(module, name)):
            constants[name] = _attribute(graph, name)
        elif not is_registered(module, name):
            plain.add(name)
    return constants, frozenset(plain)


def _attribute(graph: fx.GraphModule, name: str) -> Tensor:
    found: Any = graph
    for part in name.split("."):
        found = getattr(found, part)
    assert isinstance(found, Tensor)
    return found
