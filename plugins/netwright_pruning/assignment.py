"""Assignments of the Python API: from the names of a model and a dataset to a case, its weights and its data."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netwright.cases import Case, CaseOptions, load_case
from netwright.cases.module import draw_inputs
from netwright.errors import UserError
from netwright.registry import registry
from netwright_pruning.agents.config import FineTuningConfig
from netwright_pruning.architecture import build_skeleton
from netwright_pruning.exceptions import ConfigurationError
from netwright_pruning.experiment import DatasetSection, ExperimentConfig, ModelSection, load_config
from netwright_pruning.merging import merge
from netwright_pruning.tools.downloader import ModelDownloader
from netwright_pruning.utils.models import model_case
from netwright_pruning.weights import count_classes, read_state_dict
from netwright_training import Splits, load_dataset
from netwright_training.specs import DatasetSpec

COLLECTIONS = ("timm", "torchvision")
"""Schemes whose models are built for any classes and images."""
FINE_TUNING: dict[str, Any] = {"epochs": 10, "optimizer": {"lr": 1e-4}, "scheduler": {"warmup_epochs": 0.5}}
"""How a model with weights of its own is fine-tuned unless told otherwise."""
EXPERIMENT_VARIABLE = "NETWRIGHT_EXPERIMENT"
"""Names the experiment's file for what is called without one."""
PATH_VARIABLE = "{}_PATH"
"""Where a dataset lies whose section has no path, as the seed's files name it: IMAGENET_PATH."""


@dataclass(frozen=True)
class Assignment:
    """A model and a dataset that fit each other.

    Attributes:
        data: The dataset as the training plugin takes it; None for none.
        checkpoint: The state dict to start from; None draws the weights.
        train: A training recipe before pruning; None for weights that are taken as they are.
        fine_tune: The recipe after pruning; None for none.
        info: What is known of the dataset: `name`, `num_classes`, `input_shape`, sizes, `safety_limits`.
    """

    model_name: str
    case: str
    options: CaseOptions
    data: dict[str, Any] | None
    checkpoint: Path | None
    train: dict[str, Any] | None
    fine_tune: dict[str, Any] | None
    info: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """What the agent `pruner` is told of it."""
        return {
            "data": self.data,
            "checkpoint": None if self.checkpoint is None else str(self.checkpoint),
            "train": self.train,
            "fine_tune": self.fine_tune,
        }


def default_experiment() -> ExperimentConfig:
    """The experiment that the variable NETWRIGHT_EXPERIMENT names, or one of defaults."""
    path = os.environ.get(EXPERIMENT_VARIABLE)
    return load_config(path) if path else ExperimentConfig()


def assign(
    model_name: str,
    dataset: str,
    experiment: ExperimentConfig,
    *,
    checkpoint: str | Path | None = None,
    pretrained: bool | None = None,
    image_size: int | None = None,
    constants: Mapping[str, Any] | None = None,
    train: Mapping[str, Any] | None = None,
    fine_tune: Mapping[str, Any] | None = None,
) -> Assignment:
    """Find out all about a model and a dataset; nothing is built.

    Args:
        model_name: A short name, a name of timm, or a case.
        dataset: A section of the experiment's datasets, or a registered dataset.
        checkpoint: Counts more than the experiment's; so do the others.

    Raises:
        ConfigurationError: The dataset is not where it should be, or there are no weights; the message names the
            setting that tells where they are.
        UserError: There is no such model or dataset.
    """
    case = model_case(model_name)
    section = experiment.models.get(model_name, experiment.models.get(case, ModelSection()))
    asked = {**section.constants, **(constants or {})}
    plain = load_case(case, CaseOptions(constants=asked or None))
    data = _data(dataset, experiment, image_size or _side(plain))
    splits = read_splits(data, dataset, experiment)
    options = CaseOptions(constants=_constants(plain, splits, asked) or None, device=experiment.hardware.device)
    own_recipe = plain.train is not None
    training = dict(train) if train is not None else section.train
    weights = _weights(model_name, case, section, checkpoint, pretrained, trained=own_recipe or training is not None)
    return Assignment(
        model_name=model_name,
        case=case,
        options=options,
        data=data,
        checkpoint=weights,
        train={"epochs": 0} if own_recipe and training is None and weights else training,
        fine_tune=fine_tuning(dataset, experiment, fine_tune or {}, derived=own_recipe or training is not None),
        info={
            "name": dataset,
            "num_classes": splits.num_classes,
            "input_shape": splits.input_shape,
            "samples": {part: len(getattr(splits, part)) for part in ("train", "validation", "test")},
            "safety_limits": dataset_section(dataset, experiment).safety_limits.model_dump(
                exclude_none=True, exclude_unset=True
            ),
        },
    )


def assign_structure(model_name: str, experiment: ExperimentConfig) -> Assignment:
    """A model with drawn weights and without data: what can be known of its structure alone.

    Raises:
        UserError: There is no such model.
    """
    case = model_case(model_name)
    section = experiment.models.get(model_name, experiment.models.get(case, ModelSection()))
    options = CaseOptions(constants=section.constants or None, device=experiment.hardware.device)
    return Assignment(model_name, case, options, None, None, None, None, {"name": None, "safety_limits": {}})


def assign_weights(model_name: str, experiment: ExperimentConfig) -> tuple[str, dict[str, Any], Path | None]:
    """A model's case, constants and state dict by its name alone: it is built for the classes of its weights.

    Raises:
        ConfigurationError: There are no weights; the message names the setting that tells where they are.
        UserError: There is no such model.
    """
    case = model_case(model_name)
    section = experiment.models.get(model_name, experiment.models.get(case, ModelSection()))
    weights = _weights(model_name, case, section, None, None, trained=section.train is not None)
    constants = dict(section.constants)
    if weights is not None and case.partition(":")[0] in COLLECTIONS and "num_classes" not in constants:
        module = build_skeleton(load_case(case, CaseOptions(constants=constants or None)))
        classes = count_classes(module, read_state_dict(weights))
        constants |= {} if classes is None else {"num_classes": classes}
    return case, constants, weights


def dataset_section(dataset: str, experiment: ExperimentConfig) -> DatasetSection:
    """The experiment's section of a dataset, or one of defaults."""
    return experiment.datasets.get(dataset, DatasetSection())


def section_limits(dataset: str, experiment: ExperimentConfig) -> dict[str, float]:
    """The safety limits that a dataset's section sets."""
    limits = dataset_section(dataset, experiment).safety_limits
    return limits.model_dump(exclude_none=True, exclude_unset=True)


def load_assigned_data(
    dataset: str, experiment: ExperimentConfig, *, image_size: int | None = None
) -> tuple[dict[str, Any], Splits]:
    """A dataset's settings and splits by its name alone; raises as `assign`."""
    data = _data(dataset, experiment, image_size)
    return data, read_splits(data, dataset, experiment)


def _data(dataset: str, experiment: ExperimentConfig, side: int | None) -> dict[str, Any]:
    """The settings of the training plugin's dataset."""
    section = dataset_section(dataset, experiment)
    spec = registry().spec("dataset", section.name or dataset)
    readable = (*spec.settings, "limit") if isinstance(spec, DatasetSpec) else ("root",)
    variable = PATH_VARIABLE.format(dataset.upper())
    root = section.path or os.environ.get(variable)
    values = {
        "root": str(root) if root else None,
        "image_size": section.image_size or side,
        "download": section.download or None,
        "limit": section.limit,
        "validation_fraction": section.validation_fraction,
    }
    return {"name": spec.name, **{k: v for k, v in values.items() if v is not None and k in readable}}


def read_splits(data: Mapping[str, Any], dataset: str, experiment: ExperimentConfig) -> Splits:
    """The splits of a dataset; raises as `assign`."""
    try:
        return load_dataset(data, seed=experiment.experiment.seed)
    except UserError as error:
        raise ConfigurationError(
            error.what,
            why=error.why,
            remedy=f"set datasets.{dataset}.path in the experiment's file, or the environment variable "
            f"{PATH_VARIABLE.format(dataset.upper())}{'' if not error.remedy else f' ({error.remedy})'}",
        ) from error


def _constants(case: Case, splits: Splits, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a model of a collection is built with, so that it takes the images and tells the classes."""
    scheme = case.name.partition(":")[0]
    found: dict[str, Any] = {}
    shape: tuple[int, ...] = splits.input_shape
    if scheme in COLLECTIONS and len(shape) == 3:
        channels, side = shape[0], shape[-1]
        if side != _side(case):
            found["image_size"] = side
        if scheme == "timm" and channels != 3:
            found["in_chans"] = channels
        if splits.num_classes is not None:
            found["num_classes"] = splits.num_classes
    return {**found, **asked}


def _side(case: Case) -> int | None:
    """Height of the images that the case takes; None where it takes none."""
    inputs = draw_inputs(case, seed=0)
    shape: tuple[int, ...] = tuple(getattr(inputs.args[0], "shape", ())) if inputs.args else ()
    return int(shape[-1]) if len(shape) == 4 else None


def _weights(
    name: str,
    case: str,
    section: ModelSection,
    checkpoint: str | Path | None,
    pretrained: bool | None,
    *,
    trained: bool,
) -> Path | None:
    """The state dict to start from, published ones fetched where they are wanted.

    Args:
        trained: Whether the model is trained before it is pruned.
    """
    given = Path(checkpoint) if checkpoint is not None else section.checkpoint
    if given is not None:
        if not given.expanduser().is_file():
            raise ConfigurationError(
                f"no checkpoint {given}", why=f"the weights of {name} are looked for there", remedy=_where(name)
            )
        return given.expanduser().resolve()
    wanted = section.pretrained if pretrained is None else pretrained
    if not wanted or (trained and pretrained is None) or case.partition(":")[0] not in COLLECTIONS:
        return None
    try:
        return ModelDownloader().download(name)
    except UserError as error:
        raise ConfigurationError(error.what, why=error.why, remedy=_where(name)) from error


def _where(name: str) -> str:
    return (
        f"set models.{name}.checkpoint in the experiment's file (or checkpoint=FILE) to a state dict, "
        f"or models.{name}.pretrained (pretrained=) to false to begin with drawn weights"
    )


def fine_tuning(
    dataset: str, experiment: ExperimentConfig, changes: Mapping[str, Any] | None = None, *, derived: bool = False
) -> dict[str, Any]:
    """The recipe after pruning: defaults unless it derives from a training's, the agent's settings, then changes."""
    recipe: dict[str, Any] = {} if derived else dict(FINE_TUNING)
    section = dataset_section(dataset, experiment)
    if section.batch_size is not None:
        recipe["batch_size"] = section.batch_size
    if section.workers:
        recipe["workers"] = section.workers
    if experiment.hardware.gpu.mixed_precision:
        recipe["amp"] = "bf16"
    if experiment.hardware.gpu.gradient_checkpointing:
        recipe["gradient_checkpointing"] = True
    recipe = merge(recipe, agent_recipe(experiment.agents.fine_tuning_agent))
    return merge(recipe, train_settings(changes or {}))


def agent_recipe(agent: FineTuningConfig) -> dict[str, Any]:
    """The recipe that the fine-tuning agent's settings make: those that were given."""
    flat = agent.model_dump(mode="json", exclude_unset=True, exclude={"recipe", "reconstruct"})
    return merge(train_settings({key: value for key, value in flat.items() if value is not None}), agent.recipe)


def train_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """A flat recipe as the training plugin nests it: `optimizer: adamw, learning_rate: 1e-4, scheduler: cosine`."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        if key in ("optimizer", "scheduler") and isinstance(value, str):
            nested = merge(nested, {key: {"name": value}})
        elif key in ("learning_rate", "lr"):
            nested = merge(nested, {"optimizer": {"lr": value}})
        elif key == "weight_decay":
            nested = merge(nested, {"optimizer": {"weight_decay": value}})
        else:
            nested = merge(nested, {key: value})
    return nested
