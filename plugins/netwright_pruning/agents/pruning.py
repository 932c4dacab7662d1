"""The pruning agent: carries a strategy out, on a copy."""

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from netwright.errors import UserError
from netwright_pruning.agents.analysis import read_strategy
from netwright_pruning.agents.base import Message, PruningLoopAgent, read_budget, read_inputs
from netwright_pruning.agents.config import PruningConfig
from netwright_pruning.agents.records import LayerParameters
from netwright_pruning.allocation import Allocation
from netwright_pruning.budget import Budget
from netwright_pruning.engine import prune_to_budget
from netwright_pruning.gradients import Batch
from netwright_pruning.method import BasePruningMethod
from netwright_pruning.methods import load_method
from netwright_pruning.ranking import EVEN
from netwright_pruning.survey import Survey
from netwright_training.recomputation import asking_for_recomputation

SMALL = 8
"""Samples in the pieces of `memory_efficient`."""


class PruningAgent(PruningLoopAgent):
    """Removes channels from a copy of a model until the target is met.

    Args:
        config: `backend`, `global_pruning` and further settings of `PruningConfig`.
    """

    config_class = PruningConfig
    config: PruningConfig

    def get_agent_role(self) -> str:
        """One sentence that says what this agent is for."""
        return "You remove channels from neural networks."

    def execute(self, input_data: Message) -> Message:
        """Prune.

        Args:
            input_data: `model`, `strategy`, `parameters` (of the analysis agent; without them the scores alone decide);
                the target: `budget`, or the strategy's ratio of `metric`; what importance looks at: `batches` of
                (inputs, targets); `seed`; `inputs`, `input_shape` or `input_size`; `survey`, if there is one; `shares`
                that the user gives layers.

        Returns:
            `model` (the pruned copy), `pruning` (all about it), `params_reduction`, `macs_reduction`, `within_budget`,
            `layer_ratios` (what really went of each layer), `kept` (per layer, the channels that remain).

        Raises:
            UserError: Something is missing, or the target cannot be met within the limits; the message says what can.
            NetwrightError: The model cannot be pruned.
        """
        model = self._required(input_data, "model", nn.Module)
        strategy = read_strategy(input_data)
        inputs = read_inputs(input_data, model)
        parameters = input_data.get("parameters") or LayerParameters()
        if isinstance(parameters, Mapping):
            parameters = LayerParameters.model_validate(dict(parameters))
        budget: Any = input_data.get("budget") or read_budget(input_data, strategy.pruning_ratio)
        round_to = input_data.get("round_to", self.config.round_to)
        survey = input_data.get("survey") or Survey(model, inputs, round_to=round_to)
        seed = int(input_data.get("seed", 0))
        own = Allocation(input_data.get("shares") or {})
        with asking_for_recomputation(True) if self.config.gradient_checkpointing else nullcontext():
            pruning = prune_to_budget(
                model,
                inputs,
                budget if isinstance(budget, Budget) else list(budget),
                _within(load_method(strategy.importance_criterion), parameters),
                seed=seed,
                tolerance=float(input_data.get("tolerance", self.config.tolerance)),
                round_to=round_to,
                batches=self._pieces(input_data.get("batches")),
                allocation=to_allocation(parameters, survey, even=not self.config.global_pruning, own=own),
                stopwatch=input_data.get("stopwatch"),
                survey=survey,
            )
        ratios = {name: 1 - after / before for name, (before, after) in pruning.widths.items()}
        past = [name for name, ratio in ratios.items() if ratio > parameters.limits.get(name, 1.0) + 1e-9]
        if past:
            raise UserError(f"'{past[0]}' would lose more than its safety limit", remedy="ask for less")
        return self._answer(
            model=pruning.model,
            pruning=pruning,
            params_reduction=1 - pruning.after.parameters / pruning.before.parameters,
            macs_reduction=1 - pruning.after.macs / pruning.before.macs,
            within_budget=pruning.budget.within,
            layer_ratios=ratios,
            kept=pruning.kept,
        )

    def _pieces(self, batches: Sequence[Batch] | None) -> list[Batch] | None:
        """The calibration batches, in the portions that the settings ask for."""
        if not batches:
            return None
        if self.config.memory_efficient:
            return [
                (some[start : start + SMALL], wanted[start : start + SMALL])
                for some, wanted in batches
                for start in range(0, len(some), SMALL)
            ]
        if not self.config.batch_processing:
            return [(torch.cat([some for some, _ in batches]), torch.cat([wanted for _, wanted in batches]))]
        return list(batches)


def _within(method: BasePruningMethod, parameters: LayerParameters) -> BasePruningMethod:
    """The method, with its channels ranked among the layers that the parameters say."""
    method.isomorphic = parameters.isomorphic
    return method


def to_allocation(
    parameters: LayerParameters, survey: Survey, *, even: bool = False, own: Allocation = EVEN
) -> Allocation:
    """What the engine makes of ratios per layer: shares of one common cut, each layer ranked by itself.

    Args:
        even: Whether ratios that are missing are the same for all layers; otherwise the scores compare layers.
        own: The user's own shares, which the ratios are multiplied with.
    """
    names = list(survey.rehearsal.graph.groups)
    limits = _by_layer(parameters.limits)
    ratios = parameters.ratios or (dict.fromkeys(names, 0.5) if even else {})
    if not ratios:
        return Allocation(own.shares, limits)
    hardness = {name: -math.log(max(1 - ratio, 1e-3)) for name, ratio in ratios.items()}
    centre = sum(hardness.values()) / len(hardness)
    shares = {}
    for number, name in enumerate(names):
        # Layers of exactly the same share would be ranked together.
        share = hardness.get(name, 0.0) / centre * (1 + 1e-7 * number)
        shares[name] = share * own.share(name)
    return Allocation(_by_layer(shares), limits)


def _by_layer(numbers: Mapping[str, float]) -> dict[str, float]:
    """Numbers by layer for an allocation, of whose patterns the last that fits counts: a whole name is the longest."""
    return {name.partition("[")[0]: numbers[name] for name in sorted(numbers, key=len)}
