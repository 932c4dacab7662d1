"""Applying rules to a graph until none applies any more, always in the same order."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import fx

from netwright_fusion.cost import Cost, graph_cost
from netwright_fusion.graph import is_tensor, tidy, written
from netwright_fusion.rules.infinity import FINITE_INPUTS, may_be_hidden
from netwright_fusion.rules.matching import shares_memory
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
    before = graph_cost(graph)
    progress = True
    while progress:
        progress = False
        for rule in usable:
            while site := _next_site(rule, graph, skip):
                if len(applied) == MOST_APPLICATIONS:
                    raise RuntimeError(f"the rules do not come to an end; the last was '{rule.name}' at {site.name}")
                if not rule.keeps_nan and may_be_hidden(site.nodes[-1]):
                    graph.meta[FINITE_INPUTS] = True
                rule.apply(graph, site)
                tidy(graph)
                after = graph_cost(graph)
                applied.append(Applied(rule, site.name, *_removed(before, after)))
                before, progress = after, True
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


def _removed(before: Cost, after: Cost) -> tuple[int, int]:
    return int(before.flops - after.flops), int(before.bytes - after.bytes)
