"""Training recipes: the case's own, what the user changes, and the fine-tuning that follows from them."""

from netwright.cases import Case
from netwright.config import parse_config
from netwright_pruning.config import PrunerConfig
from netwright_pruning.merging import merge
from netwright_training import TrainConfig

FINE_TUNE_EPOCHS = 1 / 5
FINE_TUNE_LEARNING_RATE = 1 / 3


def train_recipe(case: Case, config: PrunerConfig) -> TrainConfig | None:
    """The recipe before pruning; None for a case without one whose user gives none: its weights are taken as they are.

    Raises:
        UserError: A setting is unknown or of the wrong type.
    """
    if case.train is None and config.train is None:
        return None
    own = {"device": case.options.device, **(case.train or {})}
    parse_config(TrainConfig, own, path="train")
    return parse_config(TrainConfig, merge(own, config.train or {}), path="agent.train")


def fine_tune_recipe(case: Case, config: PrunerConfig, train: TrainConfig | None) -> TrainConfig | None:
    """The recipe after pruning: the training's for a fifth of its epochs at a third of its learning rate, and changes.

    Returns:
        None where there is neither a training nor a recipe of its own.

    Raises:
        UserError: A setting is unknown or of the wrong type.
    """
    if train is None:
        if config.fine_tune is None:
            return None
        return parse_config(TrainConfig, {"device": case.options.device, **config.fine_tune}, path="agent.fine_tune")
    shorter = {
        "epochs": max(1, round(train.epochs * FINE_TUNE_EPOCHS)),
        "optimizer": {"lr": train.optimizer.lr * FINE_TUNE_LEARNING_RATE},
        "scheduler": {"warmup_epochs": 0.0},
    }
    derived = merge(train.model_dump(), shorter)
    return parse_config(TrainConfig, merge(derived, config.fine_tune or {}), path="agent.fine_tune")
