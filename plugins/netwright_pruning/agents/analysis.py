"""The analysis agent: from a strategy to a share of each layer, within safety limits."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from netwright.context import current_run
from netwright.errors import UserError
from netwright_pruning.agents.base import Message, PruningLoopAgent, read_inputs, read_profile, read_survey
from netwright_pruning.agents.config import AnalysisConfig
from netwright_pruning.agents.questions import LayerFacts, RatiosDecision, ShareOut
from netwright_pruning.agents.records import LayerParameters, ModelProfile, PruningStrategy
from netwright_pruning.methods import load_method
from netwright_pruning.proxy import Proxy
from netwright_pruning.sensitivity import Sensitivity, measure_sensitivity

SCORES_DECIDE = ("global", "isomorphic")
"""Allocations for which the scores themselves compare layers."""


class _ClippedShareOut(ShareOut):
    """How much each layer shall lose.

    Layers whose loss rises little for what they save can lose more. Ratios past a layer's limit are lowered to it.
    """

    def check(self, decision: RatiosDecision) -> None:
        """As strict, but for the limits."""
        super().check(decision.model_copy(update={"ratios": self.clipped(decision)}))

    def clipped(self, decision: RatiosDecision) -> dict[str, float]:
        """The ratios within the limits; those of unknown layers as they are."""
        limits = {layer.name: layer.limit for layer in self.layers}
        return {name: min(ratio, limits.get(name, ratio)) for name, ratio in decision.ratios.items()}


class AnalysisAgent(PruningLoopAgent):
    """Works out how much of each layer goes.

    Args:
        config: `safety_enforcement` ("strict" or "clip") and further settings of `AnalysisConfig`.
    """

    config_class = AnalysisConfig
    config: AnalysisConfig

    def get_agent_role(self) -> str:
        """One sentence that says what this agent is for."""
        return "You share a pruning out among the layers of a network, so that the delicate ones lose less."

    def execute(self, input_data: Message) -> Message:
        """Work out a strategy's parameters.

        Args:
            input_data: `profile_results`, `strategy`; for allocations by sensitivity `sensitivities` that are known, or
                `model`, `proxy` and what `execute` of the pruning agent takes, to measure them.

        Returns:
            `parameters` (a `LayerParameters`), `group_ratios` (its ratios), `sensitivities` (per layer `damage` and
            `gain`), and `safety_checks`.

        Raises:
            UserError: Profile or strategy are missing or damaged.
        """
        profile = read_profile(input_data, "AnalysisAgent.execute")
        strategy = read_strategy(input_data)
        limits = {layer.name: layer.limit for layer in profile.prunable_layers}
        known: Mapping[str, Any] = input_data.get("sensitivities") or {}
        ratios: dict[str, float] = {}
        clipped: list[str] = []
        if strategy.allocation not in SCORES_DECIDE:
            if strategy.allocation.startswith("sensitivity") and not known:
                known = self._measure(input_data, strategy)
            ratios, clipped = self._share_out(profile, strategy, known)
        parameters = LayerParameters(ratios=ratios, limits=limits, isomorphic=strategy.allocation == "isomorphic")
        checks = {"within_limits": True, "clipped": clipped, "enforcement": self.config.safety_enforcement}
        return self._answer(parameters=parameters, group_ratios=ratios, sensitivities=dict(known), safety_checks=checks)

    def _share_out(
        self, profile: ModelProfile, strategy: PruningStrategy, known: Mapping[str, Any]
    ) -> tuple[dict[str, float], list[str]]:
        layers = [
            LayerFacts(
                name=layer.name,
                kind=layer.kind,
                units=layer.units,
                limit=layer.limit,
                damage=known.get(layer.name, {}).get("damage"),
                gain=known.get(layer.name, {}).get("gain"),
            )
            for layer in profile.prunable_layers
        ]
        clip = self.config.safety_enforcement == "clip"
        question = (_ClippedShareOut if clip else ShareOut)(
            target_ratio=strategy.pruning_ratio, allocation=strategy.allocation, layers=layers
        )
        decision = current_run().decide(question)
        if not isinstance(question, _ClippedShareOut):
            return decision.ratios, []
        ratios = question.clipped(decision)
        lowered = [name for name, ratio in decision.ratios.items() if ratios[name] < ratio]
        if lowered:
            current_run().warn(f"lowered to their safety limits: {', '.join(lowered)}")
        return ratios, lowered

    def _measure(self, given: Message, strategy: PruningStrategy) -> dict[str, dict[str, float]]:
        """Per layer, damage and gain; nothing where there is no model to measure."""
        model, proxy = given.get("model"), given.get("proxy")
        if not isinstance(model, nn.Module) or not isinstance(proxy, Proxy):
            return {}
        inputs = read_inputs(given, model)
        with current_run().step("measure sensitivity"):
            found: dict[str, Sensitivity] = measure_sensitivity(
                model,
                inputs,
                read_survey(given, model, inputs, 8),
                load_method(strategy.importance_criterion),
                proxy,
                metric=given.get("metric", "parameters"),
                batches=given.get("batches"),
                probe=self.config.probe,
                seed=int(given.get("seed", 0)),
            )
        return {name: {"damage": value.damage, "gain": value.gain} for name, value in found.items()}


def read_strategy(given: Message) -> PruningStrategy:
    """The strategy, from a record or a mapping.

    Raises:
        UserError: There is none, or it is damaged.
    """
    found = given.get("strategy")
    if isinstance(found, PruningStrategy):
        return found
    if isinstance(found, Mapping):
        try:
            return PruningStrategy.model_validate(dict(found))
        except ValueError as error:
            raise UserError("'strategy' is no strategy", why=str(error).splitlines()[0]) from None
    raise UserError("'strategy' is missing", remedy="run MasterAgent first and pass what it returns")
