"""The loop of the pruning agents: profile, then master, analysis, prune, fine-tune and evaluate until it is enough."""

import math
import shutil
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from torch import nn

from netwright.context import current_run
from netwright.errors import NetwrightError
from netwright.files import content_key
from netwright.runfolder import RunFolder
from netwright.workflow import END, Route, Workflow, WorkflowResult
from netwright_pruning.agents.analysis import AnalysisAgent
from netwright_pruning.agents.base import Message
from netwright_pruning.agents.config import FineTuningConfig, MasterConfig, MultiAgentOptions
from netwright_pruning.agents.evaluation import EvaluationAgent
from netwright_pruning.agents.fine_tuning import FineTuningAgent
from netwright_pruning.agents.master import MasterAgent
from netwright_pruning.agents.profiling import ProfilingAgent
from netwright_pruning.agents.pruning import PruningAgent
from netwright_pruning.agents.records import (
    AttemptRecord,
    LayerParameters,
    ModelProfile,
    ProxyScore,
    PruningStrategy,
    best_explored,
)
from netwright_pruning.budget import Budget, BudgetMetric
from netwright_pruning.calibration import draw_batches
from netwright_pruning.config import PrunerConfig
from netwright_pruning.gradients import Batch
from netwright_pruning.harness_stopwatch import HarnessStopwatch
from netwright_pruning.keepsake import Keepsake, read_keepsake, write_keepsake
from netwright_pruning.precomputation import current_precomputation
from netwright_pruning.proxy import Proxy, hold_out, make_proxy
from netwright_pruning.saved import load_pruned, save_pruned
from netwright_pruning.subject import Subject
from netwright_pruning.survey import Survey
from netwright_training.splits import Samples

NAME = "pruning"


class LoopState(BaseModel):
    """What the agents know; models lie in the folders of their attempts."""

    subject: str
    """Tells what is worked on: a loop goes on only with the same."""
    seed: int
    target_ratio: float
    """The share of the metric that is to go."""
    metric: BudgetMetric
    epochs_left: int
    rounds_left: int
    profile: ModelProfile | None = None
    unpruned: ProxyScore | None = None
    sensitivities: dict[str, dict[str, dict[str, float]]] = {}
    """Per criterion and layer, damage and gain."""
    attempts: list[AttemptRecord] = []
    strategy: PruningStrategy | None = None
    parameters: LayerParameters | None = None
    failure: str = ""
    """Why the attempt in flight has no model."""
    seconds: float = 0.0
    """What the attempt in flight has taken."""

    @property
    def number(self) -> int:
        """Of the attempt in flight."""
        return len(self.attempts) + 1


class PruningLoop:
    """The agents at work on one subject.

    Args:
        subject: What to prune; nothing of it changes.
        config: The budget and how models are recovered.
        folder: Where attempts leave their models.
    """

    def __init__(
        self, subject: Subject, config: PrunerConfig, options: MultiAgentOptions, *, seed: int, folder: Path
    ) -> None:
        self.subject = subject
        self.config = config
        self.options = options
        self.seed = seed
        self.folder = folder

    def run(self) -> WorkflowResult[LoopState]:
        """Run to the end, or until a budget of the run stops it; go on where an earlier process was killed."""
        place = None if current_run().folder else RunFolder(self.folder / "run")
        return self.workflow().run(self.beginning(), folder=place)

    def workflow(self) -> Workflow[LoopState]:
        """The graph."""
        return Workflow(
            NAME,
            LoopState,
            nodes={
                "profile": self.profile,
                "master": self.master,
                "analysis": self.analysis,
                "prune": self.prune,
                "fine_tune": self.fine_tune,
                "evaluate": self.evaluate,
            },
            edges={
                "profile": "master",
                "master": Route(_after_master, to=("analysis", END)),
                "analysis": "prune",
                "prune": Route(_after_prune, to=("fine_tune", "evaluate")),
                "fine_tune": "evaluate",
                "evaluate": "master",
            },
        )

    def beginning(self) -> LoopState:
        """The first state: the same for the same job."""
        metric, ratio = self._target()
        recipe = self.subject.data.fine_tune if self.subject.data else None
        told = [self.subject.case.name, self.config.model_dump(mode="json"), self.options.model_dump(mode="json")]
        return LoopState(
            subject=content_key(told),
            seed=self.seed,
            target_ratio=ratio,
            metric=metric,
            epochs_left=recipe.epochs if recipe else 0,
            rounds_left=self.options.rounds,
        )

    def profile(self, state: LoopState) -> Mapping[str, Any]:  # noqa: ARG002 - it is the first node
        """Find out what the model is made of, and what it is worth on the held slice."""
        kept = current_precomputation().model_analysis
        settings: dict[str, Any] = {"enable_caching": kept is not None, "round_to": self.config.round_to}
        if kept is not None:
            settings |= {"cache_duration": kept.seconds, "cache_dir": kept.folder}
        agent = ProfilingAgent({**settings, "safety_limits": self.options.safety_limits.model_dump()})
        profile: ModelProfile = agent.execute({**self._subject(), "model_name": self.subject.case.name})["profile"]
        layers = []
        for layer in profile.prunable_layers:
            free = 1 - self.config.allocation.kept(layer.name, layer.units) / layer.units
            layers.append(layer.model_copy(update={"limit": min(layer.limit, free)}))
        profile = profile.model_copy(update={"prunable_layers": layers})
        return {"profile": profile, "unpruned": self.proxy.score(self.subject.model)}

    def master(self, state: LoopState) -> Mapping[str, Any]:
        """Choose what to do next, and how; forget the models that are beaten."""
        self._forget(state.attempts)  # here, because a node that ran twice would miss what it had removed
        names = set(MasterConfig.model_fields)
        agent = MasterAgent({key: value for key, value in self.options if key in names})
        answer = agent.execute(
            {
                "profile_results": state.profile,
                "target_ratio": state.target_ratio,
                "metric": state.metric,
                "history": state.attempts,
                "revision_number": sum(attempt.step == "explore" for attempt in state.attempts),
                "epochs_left": state.epochs_left,
            }
        )
        strategy: PruningStrategy = answer["strategy"]
        update: dict[str, Any] = {"failure": "", "parameters": None, "seconds": 0.0}
        if strategy.step == "commit":
            left = state.rounds_left
            ratio = _round_ratio(state.target_ratio, self.options.rounds, left)
            epochs = -(-state.epochs_left // left)
            strategy = strategy.model_copy(update={"pruning_ratio": ratio, "epochs": epochs})
        return {**update, "strategy": strategy}

    def analysis(self, state: LoopState) -> Mapping[str, Any]:
        """Work out how much of each layer goes."""
        assert state.strategy is not None
        started = time.perf_counter()
        criterion = state.strategy.importance_criterion
        answer = AnalysisAgent({"safety_enforcement": self.options.safety_enforcement}).execute(
            {
                **self._subject(),
                "profile_results": state.profile,
                "strategy": state.strategy,
                "sensitivities": state.sensitivities.get(criterion, {}),
                "proxy": self.proxy,
                "metric": state.metric,
            }
        )
        found = answer["sensitivities"]
        known = {**state.sensitivities, criterion: found} if found else state.sensitivities
        seconds = time.perf_counter() - started
        return {"parameters": answer["parameters"], "sensitivities": known, "seconds": seconds}

    def prune(self, state: LoopState) -> Mapping[str, Any]:
        """Carry the strategy out on a copy, or say why that cannot be."""
        assert state.strategy is not None
        started = time.perf_counter()
        base = self._base(state)
        given: Message = {
            **self._subject(),
            "strategy": state.strategy,
            "parameters": state.parameters,
            "budget": self._budgets(state, of_the_unpruned=base is None),
            "tolerance": self.config.tolerance,
            "shares": self.config.allocation.shares,
            "stopwatch": HarnessStopwatch(self.subject.case, self.config.timing, seed=self.seed),
        }
        if base is not None:
            given |= {"model": base[0], "survey": None}
        try:
            answer = PruningAgent({"round_to": self.config.round_to}).execute(given)
        except NetwrightError as error:
            return {"failure": str(error), "seconds": state.seconds + time.perf_counter() - started}
        keepsake = Keepsake.of(answer["pruning"], base[1] if base else None)
        folder = self._attempt(state.number)
        self._save(answer["model"], folder / "pruned")
        write_keepsake(keepsake, folder)
        return {"seconds": state.seconds + time.perf_counter() - started}

    def fine_tune(self, state: LoopState) -> Mapping[str, Any]:
        """Refit, re-estimate, and train where epochs were given."""
        assert state.strategy is not None
        started = time.perf_counter()
        folder = self._attempt(state.number)
        model = self.load(folder / "pruned")
        keepsake = self.recover(model, read_keepsake(folder), state.strategy.epochs, folder / "training")
        self._save(model, folder / "recovered")
        write_keepsake(keepsake, folder)
        return {"seconds": state.seconds + time.perf_counter() - started}

    def evaluate(self, state: LoopState) -> Mapping[str, Any]:
        """Judge the model on the held slice and the validation split."""
        assert state.strategy is not None
        strategy = state.strategy
        final = strategy.pruning_ratio == state.target_ratio
        record = AttemptRecord(
            number=state.number,
            step=strategy.step,
            criterion=strategy.importance_criterion,
            allocation=strategy.allocation,
            pruning_ratio=strategy.pruning_ratio,
            epochs=strategy.epochs,
            final=final,
            failure=state.failure,
            seconds=round(state.seconds, 3),
        )
        if not state.failure:
            record = record.model_copy(update=self._judge(self._attempt(state.number), state.metric))
        trained = strategy.step == "commit"
        return {
            "attempts": [*state.attempts, record],
            "epochs_left": state.epochs_left - (strategy.epochs if trained else 0),
            "rounds_left": max(1, state.rounds_left - trained),
            "failure": "",
        }

    @cached_property
    def proxy(self) -> Proxy:
        """The held slice."""
        return make_proxy(self.subject.model, self.subject.inputs, self._parts[1] if self._parts else None)

    @cached_property
    def calibration(self) -> list[Batch]:
        """Training samples apart from the held slice: no strategy is judged on what it was fitted to."""
        if self._parts is None:
            return []
        device = self.subject.case.options.device
        return draw_batches(self._parts[0], self.config.calibration, device, seed=self.seed)

    @cached_property
    def _parts(self) -> tuple[Samples, Samples] | None:
        """Of the training split, what may be fitted on and the held slice; None without data."""
        data = self.subject.data
        return hold_out(data.splits.train, self.options.held, seed=self.seed) if data else None

    @cached_property
    def survey(self) -> Survey:
        """The subject's structure."""
        subject = self.subject
        return subject.survey or Survey(subject.model, subject.inputs, round_to=self.config.round_to)

    def recover(self, model: nn.Module, keepsake: Keepsake, epochs: int, folder: Path | None) -> Keepsake:
        """Recover an attempt's model in place."""
        data = self.subject.data
        answer = FineTuningAgent(self._recovery()).execute(
            {
                "model": model,
                "original_model": self.subject.model,
                "kept": keepsake.kept,
                "batches": self.calibration,
                "splits": data.splits if data else None,
                "recipe": data.fine_tune if data else None,
                "epochs": epochs,
                "seed": self.seed,
                "folder": folder if epochs else None,
                "step_name": "fine-tune multi_agent",
            }
        )
        return keepsake.model_copy(update={"history": answer["history"], "refitted": answer["refitted"]})

    def load(self, folder: Path) -> nn.Module:
        """The model of an attempt."""
        return load_pruned(folder, device=self.subject.case.options.device)

    def attempt_folder(self, number: int) -> Path:
        """Where an attempt's models lie."""
        return self._attempt(number)

    def _recovery(self) -> FineTuningConfig:
        return FineTuningConfig(**dict(self.options.recovery))

    def _subject(self) -> Message:
        subject = self.subject
        data = subject.data
        return {
            "model": subject.model,
            "inputs": subject.inputs,
            "survey": self.survey,
            "round_to": self.config.round_to,
            "batches": self.calibration or None,
            "dataset": data.splits.name if data else "",
            "seed": self.seed,
        }

    def _target(self) -> tuple[BudgetMetric, float]:
        """The metric that strategies count, and the share of it that goes; latency is aimed at by way of MACs."""
        counts = self.survey.counts({})
        ratios: dict[BudgetMetric, float] = {}
        for budget in self.config.targets:
            if budget.metric in counts:
                target = budget.target(counts[budget.metric], self.config.tolerance)
                ratios[budget.metric] = 1 - target.value / counts[budget.metric]
        if not ratios:
            fraction = self.config.targets[0].amount
            return "macs", 1 - fraction if fraction < 1 else 0.5
        return max(ratios.items(), key=lambda pair: pair[1])

    def _budgets(self, state: LoopState, *, of_the_unpruned: bool) -> list[Budget]:
        """What an attempt aims at: the job's budgets, or the strategy's ratio on the way to them or beside them.

        Fractions mean the unpruned model; where a pruned one is pruned further they are told as numbers.
        """
        assert state.strategy is not None
        counts = self.survey.counts({})
        ratio = state.strategy.pruning_ratio
        if ratio != state.target_ratio:
            return [Budget(state.metric, max(1.0, (1 - ratio) * counts[state.metric]))]
        if of_the_unpruned:
            return list(self.config.targets)
        return [
            Budget(budget.metric, budget.target(counts[budget.metric], self.config.tolerance).value)
            if budget.metric in counts
            else budget
            for budget in self.config.targets
        ]

    def _base(self, state: LoopState) -> tuple[nn.Module, Keepsake] | None:
        """What a later round starts from: the model of the round before it."""
        if state.strategy is None or state.strategy.step != "commit":
            return None
        before = [a for a in state.attempts if a.worked and a.step == "commit" and not a.final]
        if not before:
            return None
        folder = self._attempt(before[-1].number)
        return self.load(folder / "recovered"), read_keepsake(folder)

    def _judge(self, folder: Path, metric: BudgetMetric) -> dict[str, Any]:
        model, keepsake = self.load(folder / "recovered"), read_keepsake(folder)
        given = {"model": model, "inputs": self.subject.inputs, "proxy": self.proxy, "split": None}
        found: dict[str, Any] = {
            "proxy": EvaluationAgent().execute(given)["proxy"],
            "achieved_ratio": 1 - keepsake.after[metric] / keepsake.before[metric],
            "within": keepsake.budget.within,
            "widths": keepsake.widths,
        }
        if self.subject.data is not None:
            data = self.subject.data
            validation = data.validate(model)
            found |= {"validation_score": validation.score, "validation_loss": validation.loss}
            if data.score == "accuracy":
                spread = validation.score * (1 - validation.score) / len(data.splits.validation)  # type: ignore[arg-type]
                found["validation_error"] = math.sqrt(spread)
        return found

    def _save(self, model: nn.Module, folder: Path) -> None:
        save_pruned(model, folder, case=self.subject.case.name, options=self.subject.case.options)

    def _attempt(self, number: int) -> Path:
        return self.folder / "attempts" / f"{number:02}"

    def _forget(self, attempts: list[AttemptRecord]) -> None:
        """Remove the models of strategies that are beaten; what is trained stays."""
        best = best_explored(attempts)
        for attempt in attempts:
            if attempt.step == "explore" and attempt is not best:
                shutil.rmtree(self._attempt(attempt.number), ignore_errors=True)


def _after_master(state: LoopState) -> str:
    return END if state.strategy is None or state.strategy.step == "stop" else "analysis"


def _after_prune(state: LoopState) -> str:
    return "evaluate" if state.failure else "fine_tune"


def _round_ratio(target: float, rounds: int, left: int) -> float:
    """The share that is gone after a round: what remains shrinks by the same factor in each."""
    return target if left <= 1 else 1 - (1 - target) ** ((rounds - left + 1) / rounds)
