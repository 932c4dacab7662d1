"""The evaluation agent: what a model is worth and what it costs."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from netwright.cost import count_cost
from netwright.errors import UserError
from netwright_pruning.agents.base import Message, PruningLoopAgent, read_inputs, read_splits
from netwright_pruning.agents.config import EvaluationConfig
from netwright_pruning.proxy import Proxy
from netwright_pruning.utils.metrics import compute_metric
from netwright_training import evaluate

SPLITS = ("train", "validation", "test")


class EvaluationAgent(PruningLoopAgent):
    """Measures a model, and compares it with the original.

    Args:
        config: `comprehensive_metrics`, `custom_metrics` and further settings of `EvaluationConfig`.
    """

    config_class = EvaluationConfig
    config: EvaluationConfig

    def get_agent_role(self) -> str:
        """One sentence that says what this agent is for."""
        return "You measure pruned networks."

    def execute(self, input_data: Message) -> Message:
        """Measure a model.

        Args:
            input_data: `model`; `original_model` to compare with; data: `splits` or a `dataset` by name, and which
                `split` of it ("test" unless given; None measures none); `proxy` for the held slice; `dataset_info` for
                metrics of your own; `inputs`, `input_shape` or `input_size`.

        Returns:
            `parameters`, `macs`; with data `accuracy` (or `mse`) and `loss`; with an original `params_reduction`,
            `macs_reduction` and `accuracy_drop`; with a proxy `proxy`; `custom_metrics`; all figures in `metrics`, too.

        Raises:
            UserError: There is no model, or model and data do not fit each other, or a metric is unknown.
            NetwrightError: The forward fails.
        """
        model = self._required(input_data, "model", nn.Module)
        inputs = read_inputs(input_data, model)
        original = input_data.get("original_model")
        split = input_data.get("split", "test")
        cost = count_cost(model.eval(), inputs)
        found: dict[str, Any] = {"parameters": cost.parameters, "macs": cost.macs}
        splits = read_splits(input_data, seed=int(input_data.get("seed", 0))) if split else None
        if splits is not None:
            if split not in SPLITS:
                raise UserError(f"there is no split '{split}'", remedy=f"choose one of {', '.join(SPLITS)}")
            samples = getattr(splits, split)
            names = self._metrics(splits.task)
            found |= evaluate(model, samples, metrics=names)
        if isinstance(original, nn.Module):
            before = count_cost(original.eval(), inputs)
            found["params_reduction"] = 1 - cost.parameters / before.parameters
            found["macs_reduction"] = 1 - cost.macs / before.macs
            if "accuracy" in found and splits is not None:
                whole = evaluate(original, getattr(splits, split), metrics=("accuracy",))["accuracy"]
                found["accuracy_drop"] = whole - found["accuracy"]
        proxy = input_data.get("proxy")
        measured = proxy.score(model) if isinstance(proxy, Proxy) else None
        info: Mapping[str, Any] = input_data.get("dataset_info") or {}
        custom = {name: compute_metric(name, model, info) for name in self.config.custom_metrics}
        return self._answer(**found, metrics={**found, **custom}, custom_metrics=custom, proxy=measured)

    def _metrics(self, task: str) -> tuple[str, ...]:
        if task == "regression":
            return ("mse",)
        return ("accuracy", "top_5_accuracy", "f1_macro") if self.config.comprehensive_metrics else ("accuracy",)
