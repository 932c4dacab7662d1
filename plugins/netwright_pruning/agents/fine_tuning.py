"""The fine-tuning agent: refits, re-estimates and trains a pruned model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from netwright.config import parse_config
from netwright_pruning.agents.base import Message, PruningLoopAgent, read_splits
from netwright_pruning.agents.config import FineTuningConfig
from netwright_pruning.calibration import draw_batches
from netwright_pruning.config import CalibrationConfig
from netwright_pruning.merging import merge
from netwright_pruning.recovery import recover
from netwright_training import TrainConfig
from netwright_training.surroundings import model_device


class FineTuningAgent(PruningLoopAgent):
    """Brings a pruned model back, in place.

    Args:
        config: `optimizer`, `scheduler` and further settings of `FineTuningConfig`.
    """

    config_class = FineTuningConfig
    config: FineTuningConfig

    def get_agent_role(self) -> str:
        """One sentence that says what this agent is for."""
        return "You bring pruned networks back to what they could do."

    def execute(self, input_data: Message) -> Message:
        """Recover a model; its best epoch on the validation split is what it ends with.

        Args:
            input_data: `model`; data: `splits`, or a `dataset` by name (`dataset_config` says where it lies); `epochs`;
                `original_model` (to refit and to learn from) and `kept` (of the pruning agent); `recipe` (a
                `TrainConfig` or a mapping that the settings change); `batches` of (inputs, targets) for calibration,
                drawn where missing; `seed`; `folder` for checkpoints: a training that was killed goes on there.

        Returns:
            `model`, `refitted` and `recalibrated` (numbers of layers), `history` (one record per epoch), `best_epoch`,
            and `epochs` (how many were trained).

        Raises:
            UserError: There is no model, or recipe, model and data do not fit each other.
            NetwrightError: Training was given up, or there is too little memory even for the smallest batch.
        """
        model = self._required(input_data, "model", nn.Module)
        seed = int(input_data.get("seed", 0))
        splits = read_splits(input_data, seed=seed)
        recipe = self._recipe(input_data)
        batches = input_data.get("batches")
        if batches is None and splits is not None:
            batches = draw_batches(splits.train, CalibrationConfig(), str(model_device(model)), seed=seed)
        folder = input_data.get("folder")
        recovery = recover(
            model,
            original=input_data.get("original_model"),
            kept=input_data.get("kept"),
            batches=[samples for samples, _ in batches or []],
            splits=splits,
            recipe=recipe,
            settings=self.config,
            seed=seed,
            folder=Path(folder) if folder else None,
            step_name=str(input_data.get("step_name", "fine-tune")),
        )
        return self._answer(
            model=model,
            refitted=recovery.refitted,
            recalibrated=recovery.recalibrated,
            history=list(recovery.history),
            best_epoch=recovery.best_epoch,
            epochs=len(recovery.history),
        )

    def _recipe(self, given: Mapping[str, Any]) -> TrainConfig:
        """The recipe that was given, changed by this agent's settings."""
        base = given.get("recipe") or {}
        values = base.model_dump() if isinstance(base, TrainConfig) else dict(base)
        config = self.config
        optimizer = {"name": config.optimizer, "lr": config.learning_rate, "weight_decay": config.weight_decay}
        changes = {
            "optimizer": {key: value for key, value in optimizer.items() if value is not None},
            "scheduler": {} if config.scheduler is None else {"name": config.scheduler},
        }
        values = merge(merge(values, changes), config.recipe)
        epochs = config.epochs if given.get("epochs") is None else int(given["epochs"])
        for key, value in {"batch_size": config.batch_size, "epochs": epochs}.items():
            if value is not None:
                values[key] = value
        return parse_config(TrainConfig, values, path="recipe")
