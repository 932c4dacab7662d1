"""Sensitivity: how much worse a model gets when a share of one layer goes, and what that saves."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_pruning.budget import BudgetMetric
from netwright_pruning.engine import rank_groups
from netwright_pruning.gradients import Batch
from netwright_pruning.proxy import Proxy
from netwright_pruning.ranking import EVEN
from netwright_pruning.recalibration import recalibrate
from netwright_pruning.scoring import ScoringMethod
from netwright_pruning.surgery import Surgeon
from netwright_pruning.survey import Survey


@dataclass(frozen=True)
class Sensitivity:
    """Of one layer.

    Attributes:
        damage: How much the proxy's loss rose, at least 0.
        gain: The share of the metric that went.
    """

    damage: float
    gain: float


def measure_sensitivity(
    model: nn.Module,
    inputs: Inputs,
    survey: Survey,
    method: ScoringMethod,
    proxy: Proxy,
    *,
    metric: BudgetMetric,
    batches: Sequence[Batch] | None,
    probe: float,
    seed: int,
) -> dict[str, Sensitivity]:
    """Cut each layer alone, re-estimate batch normalisation, and look at the proxy.

    Args:
        method: Says which channels go.
        metric: What the gain is a share of.
        batches: For gradients and batch normalisation; None without data.
        probe: The share of each layer that is cut, within what it has to keep.
    """
    ranking = rank_groups(model, inputs, survey, method, EVEN, batches=batches, seed=seed)
    whole = survey.counts({})[metric]
    before = proxy.score(model).loss
    few: list[Tensor] = [samples for samples, _ in (batches or [])[:4]]
    found = {}
    for name, scored in ranking.groups.items():
        units = max(scored.floor, scored.rounded(scored.group.units * (1 - probe)))
        cut = {name: scored.channels_beyond(units)}
        surgeon = Surgeon(copy.deepcopy(model), inputs, survey.rehearsal.graph)
        if units == scored.group.units or not surgeon.remove_all(cut):
            continue
        if few:
            recalibrate(surgeon.model, few)
        damage = max(0.0, proxy.score(surgeon.model).loss - before)
        found[name] = Sensitivity(damage, 1 - survey.counts(cut)[metric] / whole)
    return found
