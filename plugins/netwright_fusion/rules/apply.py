"""Applying rules to a graph until none applies any more, always in the same order."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import fx

from netwright_fusion.cost import Cost, node_cost
from netwright_fusion.graph import is_impure, is_tensor, tidy, written
from netwright_fusion.rules.infinity import FINITE_INPUTS, SPREADS, may_be_hidden
from netwright_fusion.rules.matching import is_fixed, remember_fixed, shares_memory
from netwright_fusion.rules.rule import Rule, Site

MOST_APPLICATIONS = 2000
"""Far beyond what any graph needs: two rules that undo each other would not end."""


@dataclass(frozen=True)
class Applied:
    """One application of a rule.

    Attributes:
        rule: The rule.
        site: The name of the site, "what -> what (node)".
        flops_removed: FLOPs per call that are no longer done; negative where there are more now. What depends on
            parameters only is not counted: it is computed once.
        bytes_removed: The same in bytes read and written by operators.
    """

    rule: Rule
    site: str
    flops_removed: int
    bytes_removed: int

    @property
    def key(self) -> str:
        """What `skip` calls this application."""
        return site_key(self.rule, self.site)


def site_key(rule: Rule, site: str) -> str:
    """A site's name with its rule's, unique in a graph."""
    return f"{rule.name}: {site}"


def apply_rules(
    graph: fx.GraphModule, rules: Sequence[Rule], *, training: bool, skip: Collection[str] = frozenset()
) -> list[Applied]:
    """Apply rules in place until none applies.

    Rules come in the order given, and each is applied wherever it applies before the next one is looked at. The same
    graph, rules and `skip` give the same result.

    Args:
        training: Whether the graph was captured in train mode; rules for eval mode only are then left out.
        skip: Keys of applications (`Applied.key`) or names of rules to leave out.

    Returns:
        What was applied, in order; nothing where the graph writes to tensors that it also reads. `graph.meta` says
        under `FINITE_INPUTS` whether the result is right for finite inputs only.
    """
    if not is_safe(graph):
        return []
    usable = [rule for rule in rules if rule.name not in skip and not (training and rule.conditions == "eval only")]
    applied: list[Applied] = []
    costs = _Costs(graph)
    progress = True
    while progress:
        progress = False
        for rule in usable:
            while site := _next_site(rule, graph, skip):
                if len(applied) == MOST_APPLICATIONS:
                    raise RuntimeError(f"the rules do not come to an end; the last was '{rule.name}' at {site.name}")
                if rule.needs_finite or (not rule.keeps_nan and may_be_hidden(site.nodes[-1])):
                    graph.meta[FINITE_INPUTS] = True
                if rule.spreads:
                    graph.meta[SPREADS] = True
                rule.apply(graph, site)
                _sweep(graph)
                applied.append(Applied(rule, site.name, *costs.removed()))
                progress = True
    tidy(graph)
    return applied


def is_safe(graph: fx.GraphModule) -> bool:
    """Whether all that the graph writes to are buffers which nothing else reads, so that reads can be moved."""
    for node in graph.graph.nodes:
        for changed in written(node):
            reads = [user for user in changed.users if user is not node]
            if changed.op != "get_attr" or any(changed not in written(user) for user in reads):
                return False
            if node.users and is_tensor(node) and shares_memory(node, changed):
                return False
    return True


def _next_site(rule: Rule, graph: fx.GraphModule, skip: Collection[str]) -> Site | None:
    return next((site for site in rule.sites(graph) if site_key(rule, site.name) not in skip), None)


def _sweep(graph: fx.GraphModule) -> None:
    """Erase what nothing needs any more."""
    for node in reversed(list(graph.graph.nodes)):
        if not node.users and node.op in ("call_function", "get_attr") and not is_impure(node):
            graph.graph.erase_node(node)


class _Costs:
    """What a graph's nodes cost, kept from one application to the next."""

    def __init__(self, graph: fx.GraphModule) -> None:
        self._graph = graph
        self._known: dict[fx.Node, Cost] = {}
        self.removed()

    def removed(self) -> tuple[int, int]:
        """FLOPs and bytes of the nodes that have gone since the last call, less those of the nodes that have come."""
        remember_fixed(self._graph)
        now = set(self._graph.graph.nodes)
        gone = sum((self._known.pop(node) for node in [*self._known] if node not in now), Cost())
        come = {node: Cost() if is_fixed(node) else node_cost(node) for node in now if node not in self._known}
        self._known.update(come)
        new = sum(come.values(), Cost())
        return int(gone.flops - new.flops), int(gone.bytes - new.bytes)
