"""The master agent: which step to take, and with which strategy."""

from typing import Any

from pydantic import ValidationError

from netwright.context import current_run
from netwright.errors import UserError
from netwright_pruning.agents.base import Message, PruningLoopAgent, read_profile
from netwright_pruning.agents.config import ALLOCATIONS, MasterConfig, SafetyLimits
from netwright_pruning.agents.profiling import merge_limits
from netwright_pruning.agents.questions import STEPS, NextStep, NextStrategy, StrategyDecision
from netwright_pruning.agents.records import AttemptRecord, ModelProfile, PruningStrategy, Step


class MasterAgent(PruningLoopAgent):
    """Decides what is tried, what is trained, and when it is enough.

    Args:
        config: `max_iterations`, `convergence_threshold` and further settings of `MasterConfig`.
    """

    config_class = MasterConfig
    config: MasterConfig

    def get_agent_role(self) -> str:
        """One sentence that says what this agent is for."""
        return "You lead the pruning of a network: you choose strategies, learn from attempts, and know when to stop."

    def execute(self, input_data: Message) -> Message:
        """Choose the next step and its strategy.

        Args:
            input_data: `profile_results` (what the profiling agent returned, or its `profile`), `target_ratio` (the
                share that goes), `metric` it is of ("parameters", the default, or "macs"), `history` (attempts so
                far), `dataset_info` (its `safety_limits` count), `revision_number` (attempts so far, if the history
                does not tell), and `epochs_left` (of fine-tuning; 1 unless given).

        Returns:
            `strategy` (a `PruningStrategy`), `continue_iterations` (whether anything is left to do), `confidence`, and
            `directives` (`step`, `epochs`, `layer_limits`, `max_ratio`).

        Raises:
            UserError: The profile or the history cannot be read, or the target is past the safety limits.
        """
        profile = read_profile(input_data, "MasterAgent.execute")
        target = self._required_ratio(input_data)
        metric = str(input_data.get("metric", "parameters"))
        info: dict[str, Any] = input_data.get("dataset_info") or {}
        limits = merge_limits(SafetyLimits(), info.get("safety_limits", {}))
        largest = _largest(profile, metric, limits)
        if target > largest + 1e-9:
            raise UserError(
                f"target_ratio {target:g} is past the safety limit of {largest:.3f}",
                why=f"no more of the {metric} may go",
                remedy="ask for less, or raise max_overall_pruning",
            )
        history = _read_history(input_data.get("history") or [])
        question = NextStrategy(
            architecture=profile.architecture_type,
            metric=metric,
            target_ratio=target,
            max_ratio=largest,
            criteria=list(self.config.criteria),
            allocations={name: ALLOCATIONS[name] for name in self.config.allocations},
            attempts=history,
            step="explore",
        )
        explored = [attempt for attempt in history if attempt.step == "explore"]
        made = max(len(explored), int(input_data.get("revision_number") or 0))
        untried = question.untried()
        epochs = int(input_data.get("epochs_left", 1))
        step: Step = (
            current_run()
            .decide(  # type: ignore[assignment]  # the question's check knows the names
                NextStep(
                    options=STEPS,
                    attempts=history,
                    untried=len(untried),
                    untried_criteria=len({c for c, _ in untried} - {attempt.criterion for attempt in explored}),
                    iterations_left=max(0, self.config.max_iterations - made),
                    epochs_left=epochs,
                    threshold=self.config.convergence_threshold,
                )
            )
            .choice
        )
        question = question.model_copy(update={"step": "explore" if step == "explore" else "commit"})
        decision = current_run().decide(question)
        strategy = _strategy(decision, step, epochs)
        directives = {
            "step": step,
            "epochs": strategy.epochs,
            "layer_limits": {layer.name: layer.limit for layer in profile.prunable_layers},
            "max_ratio": largest,
        }
        return self._answer(
            strategy=strategy,
            continue_iterations=step != "stop",
            confidence=decision.confidence,
            directives=directives,
        )

    def _required_ratio(self, given: Message) -> float:
        ratio = given.get("target_ratio")
        if not isinstance(ratio, (int, float)) or isinstance(ratio, bool) or not 0 < ratio < 1:
            why = "it is the share that goes, between 0 and 1"
            raise UserError(f"target_ratio cannot be {ratio!r}", why=why)
        return float(ratio)


def _largest(profile: ModelProfile, metric: str, limits: SafetyLimits) -> float:
    given = limits.max_overall_pruning if metric == "parameters" else limits.max_macs_pruning
    own = profile.limit_of(metric)
    return own if given is None else min(own, given)


def _strategy(decision: StrategyDecision, step: Step, epochs: int) -> PruningStrategy:
    return PruningStrategy(
        pruning_ratio=decision.pruning_ratio,
        importance_criterion=decision.importance_criterion,
        allocation=decision.allocation,
        step=step,
        epochs=epochs if step == "commit" else 0,
        reasons=decision.reasons,
    )


def _read_history(history: list[Any]) -> list[AttemptRecord]:
    """Attempts, from records or mappings."""
    found = []
    for number, entry in enumerate(history, start=1):
        try:
            record = entry if isinstance(entry, AttemptRecord) else AttemptRecord.model_validate(dict(entry))
        except (ValidationError, TypeError, ValueError) as error:
            raise UserError(f"history[{number - 1}] is no attempt", why=str(error).splitlines()[0]) from None
        found.append(record.model_copy(update={"number": record.number or number, "seconds": 0.0, "widths": {}}))
    return found
