"""Experts: which parameters of a mixture-of-experts layer a token meets only if it is routed to them."""

from dataclasses import dataclass

from torch import nn

CHOSEN = (
    "top_k",
    "num_experts_per_tok",
    "num_experts_per_token",
    "moe_topk",
    "moe_top_k",
    "experts_per_token",
    "moe_k",
)
"""What models call the number of experts that a token is routed to, on a router or in a config."""


@dataclass(frozen=True)
class Experts:
    """The routed experts of one layer.

    Attributes:
        path: Of the module that holds them.
        count: How many there are.
        chosen: How many a token is routed to.
        numbers: Parameters of them all.
    """

    path: str
    count: int
    chosen: int
    numbers: int

    @property
    def active(self) -> int:
        """Parameters that one token meets."""
        return self.numbers * self.chosen // self.count


def find_experts(model: nn.Module) -> list[Experts]:
    """All sets of routed experts: 3-D parameters whose first dimension is the expert, or lists of expert modules."""
    found: list[Experts] = []
    for path, module in model.named_modules():
        if any(path.startswith(f"{each.path}.") for each in found):
            continue
        count = _count(module)
        chosen = _chosen(model, path) if count else None
        if count and chosen and chosen <= count:
            numbers = sum(each.numel() for each in module.parameters())
            found.append(Experts(path, count, chosen, numbers))
    return found


def _count(module: nn.Module) -> int:
    if "Experts" not in type(module).__name__ and not isinstance(module, nn.ModuleList):
        return 0
    if isinstance(module, nn.ModuleList):
        names = {type(child).__name__ for child in module}
        return len(module) if len(names) == 1 and "Expert" in names.pop() else 0
    cubes = {
        parameter.shape[0]
        for parameter in module._parameters.values()
        if parameter is not None and parameter.dim() == 3
    }
    if cubes:
        return int(cubes.pop()) if len(cubes) == 1 else 0
    return 0


def _chosen(model: nn.Module, path: str) -> int | None:
    """The number that the block around the experts, its router, or the nearest config names."""
    parent = model.get_submodule(path.rpartition(".")[0])
    holders: list[object] = [model.get_submodule(path), parent, *parent.children()]
    ancestors = path.split(".")
    holders += [
        getattr(model.get_submodule(".".join(ancestors[:length])), "config", None)
        for length in range(len(ancestors), -1, -1)
    ]
    for holder in holders:
        for name in CHOSEN:
            value = getattr(holder, name, None)
            if isinstance(value, int) and value > 0:
                return value
    return None
