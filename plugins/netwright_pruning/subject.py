"""The subject of a comparison: a case's model, trained where it has data, and what it is judged by."""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from netwright.agent import Job
from netwright.cases import Case, Inputs, map_tensors
from netwright.cases.load import load_case
from netwright.cases.module import draw_inputs, prepare_module
from netwright.errors import UserError
from netwright_pruning.calibration import draw_batches
from netwright_pruning.config import PrunerConfig
from netwright_pruning.engine import check_budget
from netwright_pruning.gradients import Batch
from netwright_pruning.metrics import Validation
from netwright_pruning.recipes import fine_tune_recipe, train_recipe
from netwright_pruning.resumption import goes_on
from netwright_pruning.survey import Survey
from netwright_pruning.weights import load_weights
from netwright_training import EpochRecord, Splits, TrainConfig, evaluate, load_dataset, train


@dataclass(frozen=True)
class Data:
    """What the model is trained on and judged by.

    Attributes:
        score: The metric that stages are judged by: "accuracy", or "mse" for regression.
        calibration: Training batches for gradients and batch normalisation.
        fine_tune: The recipe of the fine-tuning; None to leave it out.
    """

    splits: Splits
    score: str
    calibration: list[Batch]
    fine_tune: TrainConfig | None

    def test(self, model: nn.Module) -> float:
        """The score on the test split."""
        return evaluate(model, self.splits.test, metrics=(self.score,))[self.score]

    def validate(self, model: nn.Module) -> Validation:
        """The score and the loss on the validation split."""
        measured = evaluate(model, self.splits.validation, metrics=(self.score,))
        return Validation(score=measured[self.score], loss=measured["loss"])


@dataclass(frozen=True)
class Subject:
    """A model to prune.

    Attributes:
        model: On the case's device and in eval mode; nobody changes it any more.
        inputs: One forward's arguments, on the model's device.
        survey: What is known of its structure.
        data: None for a case without data.
        training: The epochs of its training.
        score: Its score on the test split; None without data.
    """

    case: Case
    model: nn.Module
    inputs: Inputs
    survey: Survey | None = None
    data: Data | None = None
    training: tuple[EpochRecord, ...] = ()
    score: float | None = None


def prepare_subject(job: Job, config: PrunerConfig, folder: Path) -> Subject:
    """Build the job's case, and train it where it has data and a recipe.

    Args:
        folder: Where the training leaves its checkpoints, and goes on where it was killed.

    Raises:
        UserError: Case, data or recipe are wrong or do not fit each other, or the budget cannot be met.
    """
    if job.case is None:
        raise UserError("nothing to prune", remedy="name a case: case=NAME (netwright cases lists them)")
    case = load_case(job.case, job.case_options)
    model = prepare_module(case, seed=job.seed).eval()
    if config.checkpoint is not None:
        load_weights(model, config.checkpoint)
    inputs = map_tensors(draw_inputs(case, seed=job.seed), lambda tensor: tensor.to(case.options.device))
    source = config.data if config.data is not None else case.data
    recipe = train_recipe(case, config)
    survey = check_budget(
        model, inputs, config.targets, tolerance=config.tolerance, round_to=config.round_to, heads=config.heads
    )
    if source is None:
        if config.train is not None or config.fine_tune is not None:
            why = f"case '{case.name}' has no data"
            raise UserError("nothing to train on", why=why, remedy="name a dataset: agent.data={name: ...}")
        return Subject(case, model, inputs, survey)
    splits = load_dataset(source, seed=job.seed)
    data = Data(
        splits=splits,
        score="accuracy" if splits.task == "classification" else "mse",
        calibration=draw_batches(splits.train, config.calibration, case.options.device, seed=job.seed),
        fine_tune=fine_tune_recipe(case, config, recipe),
    )
    training = train(model, splits, recipe, seed=job.seed, folder=folder, resume=goes_on()).history if recipe else ()
    return Subject(case, model, inputs, survey, data, training, data.test(model))
