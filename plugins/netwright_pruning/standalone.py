"""What a pruning method can do by itself: from a model's name to a pruned, fine-tuned and judged model."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from torch import nn

from netwright.errors import NetwrightError, UserError
from netwright_pruning.exceptions import ConfigurationError, PruningError
from netwright_pruning.scoring import ScoringMethod

if TYPE_CHECKING:
    from netwright.cases import Case
    from netwright_pruning.budget import Budget
    from netwright_pruning.experiment import ExperimentConfig
    from netwright_training import Splits


class StandaloneMethod(ScoringMethod):
    """The steps of a method, each of which a subclass may replace.

    They use the engine, the training and the data of the agent `pruner`. Settings come from `configure`, or the file
    that the variable NETWRIGHT_EXPERIMENT names, or are defaults.
    """

    _experiment: "ExperimentConfig | None" = None
    _input_shape: tuple[int, ...] | None = None  # of one sample, as the model that was loaded last takes it

    def configure(self, config_path: "str | Path | Mapping[str, Any] | ExperimentConfig") -> Self:
        """Take the settings of an experiment (see `load_config`): where data and weights are, how to fine-tune.

        Raises:
            ConfigurationError: The file cannot be read, a variable is not set, or a key is wrong.
        """
        from netwright_pruning.experiment import ExperimentConfig, load_config

        self._experiment = config_path if isinstance(config_path, ExperimentConfig) else load_config(config_path)
        return self

    @property
    def experiment(self) -> "ExperimentConfig":
        """The settings in force."""
        from netwright_pruning.assignment import default_experiment

        return self._experiment or default_experiment()

    @property
    def method_name(self) -> str:
        """What results call it: the class's name in snake case, without "pruning" at its end."""
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()
        return words.removesuffix("_method").removesuffix("_pruning")

    def prune_to_target_macs(self, model_name: str, target_macs: float, dataset: str) -> dict[str, Any]:
        """Load a model, prune it to a number of MACs, fine-tune it, and judge it on the test split.

        Args:
            model_name: A short name ("deit_small"), a name of timm, or a case.
            target_macs: What remains of one forward of one sample, e.g. 2.3e9.
            dataset: A section of the experiment's datasets, or a registered dataset.

        Returns:
            `final_accuracy`, `final_macs`, `method`, and besides `final_params`, `params_reduction`, `macs_reduction`.

        Raises:
            ConfigurationError: Data or weights are not there; the message names the setting.
            PruningError: The target cannot be met, or the pruning failed.
        """
        from netwright_pruning.utils.metrics import compute_params

        model = self.load_model(model_name, dataset)
        pruned = self.apply(model, target_macs, dataset)
        accuracy = self.fine_tune_and_evaluate(pruned, dataset)
        macs, before = self.compute_macs(pruned), self.compute_macs(model)
        return {
            "final_accuracy": accuracy,
            "final_macs": macs,
            "method": self.method_name,
            "final_params": compute_params(pruned),
            "params_reduction": 1 - compute_params(pruned) / compute_params(model),
            "macs_reduction": 1 - macs / before,
        }

    def load_model(self, model_name: str, dataset: str | None = None) -> nn.Module:
        """The model with its weights, in eval mode on the experiment's device.

        One that has a training recipe in place of weights (a case's own, or the experiment's) is trained.

        Args:
            dataset: What it is for, so that it has its classes; None builds it for those of its weights.

        Raises:
            ConfigurationError: There are no weights; the message names the setting that tells where they are.
            PruningError: There is no such model.
        """
        from netwright.cases import CaseOptions, load_case
        from netwright.cases.module import prepare_module
        from netwright_pruning.assignment import assign, assign_weights
        from netwright_pruning.weights import load_weights
        from netwright_training import train

        with _as_pruning_errors():
            if dataset is not None:
                found = assign(model_name, dataset, self.experiment)
                name, options, weights, recipe = found.case, found.options, found.checkpoint, found.train
            else:
                name, constants, weights = assign_weights(model_name, self.experiment)
                options, recipe = CaseOptions(constants=constants or None, device=self.experiment.hardware.device), None
            case = load_case(name, options)
            self._input_shape = _sample_shape(case)
            model = prepare_module(case, seed=self.experiment.experiment.seed).eval()
            if weights is not None:
                load_weights(model, weights)
            elif dataset is not None and (recipe or case.train):
                recipe = {"device": self.experiment.hardware.device, **(recipe or case.train or {})}
                train(model, self._splits(model, dataset), recipe, seed=self.experiment.experiment.seed)
        return model

    def apply(self, model: nn.Module, target_macs: float, dataset: str | None = None) -> nn.Module:
        """A pruned copy of a model, with the MACs that are to remain.

        Args:
            dataset: Where methods that need gradients take samples; None differentiates random projections of outputs.

        Raises:
            PruningError: The target cannot be met, or the pruning failed.
        """
        from netwright_pruning.engine import prune_to_budget
        from netwright_pruning.utils.models import infer_inputs

        with _as_pruning_errors():
            if not target_macs >= 1:
                raise UserError(f"target_macs cannot be {target_macs!r}", why="it is a number of operations: 2.3e9")
            batches = self._calibration(model, dataset) if dataset is not None and self.needs_gradients else None
            return prune_to_budget(
                model,
                infer_inputs(model, self._input_shape),
                _macs_budget(target_macs),
                self,
                seed=self.experiment.experiment.seed,
                batches=batches,
                **_engine_settings(self.experiment),
            ).model

    def apply_custom_pruning(self, model: nn.Module, target_macs: float) -> nn.Module:
        """The step that a method of one's own replaces in its `prune_to_target_macs`; by default `apply`."""
        return self.apply(model, target_macs)

    def fine_tune_and_evaluate(self, model: nn.Module, dataset: str) -> float:
        """Re-estimate batch normalisation and fine-tune, in place; top-1 accuracy on the test split.

        The best epoch is chosen on the validation split.

        Raises:
            ConfigurationError: The data is not there; the message names the setting.
            PruningError: The data does not fit the model, or the training failed.
        """
        from netwright_pruning.assignment import fine_tuning
        from netwright_pruning.recalibration import recalibrate
        from netwright_training import evaluate, train

        with _as_pruning_errors():
            splits = self._splits(model, dataset)
            if splits.task != "classification":
                raise UserError(f"dataset '{dataset}' has no classes", why="accuracy is about classes")
            recalibrate(model, (inputs for inputs, _ in self._calibration(model, dataset)))
            recipe = {"device": self.experiment.hardware.device, **fine_tuning(dataset, self.experiment)}
            train(
                model, splits, recipe, seed=self.experiment.experiment.seed, step_name=f"fine-tune {self.method_name}"
            )
            return evaluate(model, splits.test, metrics=("accuracy",))["accuracy"]

    def compute_macs(self, model: nn.Module, input_shape: Sequence[int] | None = None) -> float:
        """MACs of one forward of one sample; the input's shape is found where none is given."""
        from netwright_pruning.utils.metrics import compute_macs
        from netwright_pruning.utils.models import infer_inputs

        shape = input_shape or self._input_shape
        return compute_macs(model, shape or tuple(infer_inputs(model).args[0].shape))

    def _splits(self, model: nn.Module, dataset: str) -> "Splits":
        from netwright_pruning.assignment import load_assigned_data
        from netwright_pruning.utils.models import infer_inputs

        shape = self._input_shape or tuple(infer_inputs(model).args[0].shape)
        side = int(shape[-1]) if len(shape) == 4 else None
        return load_assigned_data(dataset, self.experiment, image_size=side)[1]

    def _calibration(self, model: nn.Module, dataset: str) -> "list[Any]":
        from netwright_pruning.calibration import draw_batches
        from netwright_pruning.config import CalibrationConfig
        from netwright_training.surroundings import model_device

        batch = self.experiment.batch_processing
        config = CalibrationConfig(batches=batch.batches, batch_size=batch.batch_size)
        splits = self._splits(model, dataset)
        return draw_batches(splits.train, config, str(model_device(model)), seed=self.experiment.experiment.seed)


def _sample_shape(case: "Case") -> tuple[int, ...] | None:
    """The shape of one sample of what the case takes; None where that is more than one tensor."""
    from netwright.cases.module import draw_inputs

    inputs = draw_inputs(case, seed=0)
    shape = tuple(getattr(inputs.args[0], "shape", ())) if len(inputs.args) == 1 and not inputs.kwargs else ()
    return (1, *shape[1:]) if shape else None


def _macs_budget(target_macs: float) -> "Budget":
    from netwright_pruning.budget import Budget

    return Budget("macs", float(target_macs))


def _engine_settings(experiment: "ExperimentConfig") -> dict[str, Any]:
    """The engine's share of the settings of the agent `pruner`."""
    return {key: experiment.pruner[key] for key in ("tolerance", "round_to") if key in experiment.pruner}


@contextmanager
def _as_pruning_errors() -> Iterator[None]:
    """Inside the block, netwright's errors but those of the configuration become pruning errors."""
    try:
        yield
    except (ConfigurationError, PruningError):
        raise
    except NetwrightError as error:
        raise PruningError.of(error) from error
