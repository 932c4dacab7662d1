"""The survey: what is known of a model before anything of it is cut for good."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from torch import nn

from netwright.cases import Inputs
from netwright.cost import Cost, count_cost
from netwright.errors import UserError
from netwright_pruning.budget import BudgetMetric
from netwright_pruning.groups import prunable_groups
from netwright_pruning.heads import Heads
from netwright_pruning.ranking import Ranking, score_units
from netwright_pruning.rehearsal import Rehearsal
from netwright_pruning.surgery import Fault


class Survey:
    """A model's channel groups, what it costs, and the groups that it does not work without.

    Making one cuts groups to their floors, on a stand-in, to find the latter: all of them, and then some without the
    others, because widths that have to agree do so at the floor. It can serve any number of prunings of the same model.

    Args:
        round_to: Widths are multiples of it; None suits processors.
        heads: What goes from attention: whole heads, or dimensions of each.

    Attributes:
        before: The cost of the unpruned model.
        faults: By name, the groups that have to stay whole.
        narrowest: Per group, the channels that go when all others are at their floors.

    Raises:
        UserError: The model has no layer to prune.
        NetwrightError: The model cannot be traced.
    """

    def __init__(
        self, model: nn.Module, inputs: Inputs, *, round_to: int | None = None, heads: Heads = "whole"
    ) -> None:
        self.round_to = round_to
        self.rehearsal = Rehearsal(model, inputs, heads=heads)
        self.before: Cost = count_cost(self.rehearsal.model, self.rehearsal.inputs)
        self.faults: Mapping[str, Fault] = {}
        everything = self._everything()
        while (failure := self._failure(everything)) and failure[0] and self.rehearsal.couple(failure[0]):
            everything = self._everything()
        faults = self.rehearsal.faults(failure[1]) if failure else []
        if faults and self.rehearsal.uncouple(faults):
            everything = self._everything()
            faults = self.rehearsal.faults(_narrowest(everything))
        self.faults = {fault.group: fault for fault in faults}
        possible = require_layers(everything, self.faults)
        self.narrowest: Mapping[str, list[int]] = _narrowest(possible)
        counted = {"macs": self.before.macs, "parameters": self.before.parameters}
        self._exact = self._predict({}) == counted

    def counts(self, cuts: Mapping[str, list[int]]) -> dict[BudgetMetric, float]:
        """MACs and parameters after cuts.

        Raises:
            BrokenForwardError: The model does not work then.
        """
        if self._exact:
            return self._predict(cuts)
        cost = self.rehearsal.cost(cuts)
        return {"macs": cost.macs, "parameters": cost.parameters}

    def distrust(self) -> None:
        """Run a forward for every count from now on."""
        self._exact = False

    @property
    def exact(self) -> bool:
        """Whether counts are read off the widths, which have agreed with what forwards cost so far."""
        return self._exact

    def _predict(self, cuts: Mapping[str, list[int]]) -> dict[BudgetMetric, float]:
        graph = self.rehearsal.graph
        gone = np.zeros(len(graph.labels), bool)
        for name, channels in cuts.items():
            gone[graph.classes(name, channels)] = True
        return {"macs": graph.ledger.macs(gone), "parameters": graph.ledger.parameters(gone)}

    def _failure(self, ranking: Ranking) -> tuple[str, dict[str, list[int]]] | None:
        """The first cuts to the floor that the model does not work with, and the module at fault, "" if unknown."""
        narrowest = _narrowest(ranking)
        for cuts in (narrowest, *_halves(narrowest)):
            culprit = self.rehearsal.culprit(cuts)
            if culprit is not None:
                return culprit, cuts
        return None

    def _everything(self) -> Ranking:
        """All groups, none of whose channels matters more than another."""
        scored = [
            score_units(group, torch.ones(group.channels), self.round_to)
            for group, _ in prunable_groups(self.rehearsal.graph, self.rehearsal.model)
        ]
        return Ranking(scored, isomorphic=False)


def _narrowest(ranking: Ranking) -> dict[str, list[int]]:
    return ranking.cuts(ranking.widths(1.0))


def _halves(cuts: dict[str, list[int]]) -> Iterator[dict[str, list[int]]]:
    """Parts of the cuts: of any two groups, some part has one without the other."""
    for bit in range((len(cuts) - 1).bit_length()):
        yield {name: cuts[name] for place, name in enumerate(cuts) if place >> bit & 1}


def require_layers(ranking: Ranking, faults: Mapping[str, Fault]) -> Ranking:
    """The groups of a ranking that can be cut.

    Raises:
        UserError: There is none.
    """
    rest = ranking.without(faults)
    if not rest.groups:
        modules = ", ".join(sorted({f"'{fault.module}'" for fault in faults.values()}))
        why = f"{modules} fail without all their channels" if modules else "all its layers reach the output"
        raise UserError("the model has no layer to prune", why=why)
    return rest


def by_group(faults: Iterable[Fault]) -> dict[str, Fault]:
    """Faults by the names of their groups."""
    return {fault.group: fault for fault in faults}
