"""What the pruning agents share: how they read what they are given, and how they answer."""

from collections.abc import Mapping
from typing import Any, TypeVar

from torch import nn

from netwright.agent import BaseAgent
from netwright.cases import Inputs
from netwright.errors import UserError
from netwright.files import utc_now
from netwright_pruning.agents.records import ModelProfile
from netwright_pruning.budget import Budget, BudgetMetric
from netwright_pruning.survey import Survey
from netwright_pruning.utils.models import infer_inputs
from netwright_training import Splits, load_dataset

Message = dict[str, Any]
ValueT = TypeVar("ValueT")


class PruningLoopAgent(BaseAgent[Message, Message]):
    """An agent of the pruning loop: a mapping in, a mapping out."""

    def _answer(self, **values: Any) -> Message:
        """The values, and that all went well."""
        stamp = utc_now().isoformat()
        return {"success": True, "agent_name": self.agent_name, "timestamp": stamp, **values}

    def _required(self, given: Mapping[str, Any], key: str, kind: type[ValueT]) -> ValueT:
        """What was given under a key.

        Raises:
            UserError: Nothing was, or something else.
        """
        value = given.get(key)
        if not isinstance(value, kind):
            found = "it is missing" if value is None else f"it is of type {type(value).__name__}"
            what = f"{type(self).__name__}.execute needs '{key}'"
            raise UserError(what, why=found, remedy=f"give a {kind.__name__}")
        return value


def read_inputs(given: Mapping[str, Any], model: nn.Module) -> Inputs:
    """The arguments of one forward: `inputs`, or made from `input_shape` or `input_size`, or what suits the model."""
    inputs = given.get("inputs")
    if isinstance(inputs, Inputs):
        return inputs
    if shape := given.get("input_shape"):
        return infer_inputs(model, tuple(shape))
    size = given.get("input_size")
    if not size:
        return infer_inputs(model)
    first = next((layer for layer in model.modules() if isinstance(layer, nn.Conv2d)), None)
    return infer_inputs(model, (2, first.in_channels if first else 3, int(size), int(size)))


def read_survey(given: Mapping[str, Any], model: nn.Module, inputs: Inputs, round_to: int | None) -> Survey:
    """The model's survey, made where none was given; raises as it does."""
    survey = given.get("survey")
    return survey if isinstance(survey, Survey) else Survey(model, inputs, round_to=round_to)


def read_profile(given: Mapping[str, Any], whose: str) -> ModelProfile:
    """The profile: `profile_results` or `profile`, as the profiling agent returns it, whole or its part.

    Raises:
        UserError: There is none, or it is damaged.
    """
    found = given.get("profile_results", given.get("profile"))
    if isinstance(found, Mapping) and "profile" in found:
        found = found["profile"]
    if isinstance(found, ModelProfile):
        return found
    if isinstance(found, Mapping):
        try:
            return ModelProfile.model_validate(dict(found))
        except ValueError as error:
            raise UserError(f"{whose}: 'profile_results' is no profile", why=str(error).splitlines()[0]) from None
    raise UserError(f"{whose} needs 'profile_results'", remedy="run ProfilingAgent first and pass what it returns")


def read_splits(given: Mapping[str, Any], *, seed: int) -> Splits | None:
    """The data: `splits`, or the dataset that `dataset` names (with `dataset_config` for where it lies), or None."""
    splits = given.get("splits")
    if isinstance(splits, Splits):
        return splits
    name = given.get("dataset")
    return load_dataset({"name": name, **given.get("dataset_config", {})}, seed=seed) if isinstance(name, str) else None


def read_budget(given: Mapping[str, Any], ratio: float) -> Budget:
    """What is to remain when `ratio` of `metric` goes; parameters unless another is named.

    Raises:
        UserError: The ratio leaves nothing, or takes nothing.
    """
    if not 0 < ratio < 1:
        raise UserError(f"the pruning ratio cannot be {ratio:g}", why="it is the share that goes, between 0 and 1")
    metric: BudgetMetric = given.get("metric", "parameters")
    return Budget(metric, 1 - ratio)
