"""The subject: whose cost is predicted, read from a config, a model type, a file or a case."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from netwright.cases.case import Case
from netwright.errors import UserError
from netwright_predictor.structure.skeleton import build_skeleton
from netwright_predictor.tracing.placeholders import name_placeholder, takes_images_in_text
from netwright_zoo import model_class_of, read_transformers_config, text_config_of

DEFAULT_LENGTH = 512
"""Tokens per sequence where a config names no longest one."""
LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "seq_length", "n_ctx")


@dataclass(frozen=True)
class Subject:
    """A model that is not built yet.

    Attributes:
        name: As it was asked for.
        config: Of the whole model.
        model_class: Its class.
    """

    name: str
    config: PretrainedConfig
    model_class: type[PreTrainedModel]

    @property
    def longest(self) -> int:
        """Tokens per sequence that it was made for; 512 where the config names none."""
        text = text_config_of(self.config)
        values = (getattr(text, name, None) for name in LENGTHS)
        return next((value for value in values if isinstance(value, int) and value > 0), DEFAULT_LENGTH)

    @property
    def dtype(self) -> str | None:
        """The number format that the config names, or None."""
        named = getattr(self.config, "dtype", None) or getattr(text_config_of(self.config), "dtype", None)
        return str(named).removeprefix("torch.") if named is not None else None

    @property
    def quantization(self) -> str | None:
        """The method by which the config says that weights are stored in fewer bits, or None."""
        found = getattr(self.config, "quantization_config", None)
        if found is None:
            return None
        values = found if isinstance(found, Mapping) else found.to_dict()
        return str(getattr(values.get("quant_method"), "value", values.get("quant_method", "unnamed")))

    def build(self, dtype: str, attention: str) -> nn.Module:
        """The model on the meta device, in eval mode.

        Args:
            attention: Its implementation in transformers, "eager" or "sdpa".

        Raises:
            UserError: Its class refuses the config.
            NetwrightError: It cannot be built without weights.
        """
        config = deepcopy(self.config)
        if takes_images_in_text(self.model_class, config):
            name_placeholder(config)
        for part in (config, *(getattr(config, name) for name in config.sub_configs)):
            if part is not None:
                part.dtype = getattr(torch, dtype)
        config._attn_implementation = attention
        config._experts_implementation = "batched_mm"
        return build_skeleton(self.model_class, config)


def read_subject(model: object, constants: Mapping[str, Any] | None = None) -> Subject:
    """What to predict the cost of; neither weights nor the hub are asked for.

    Args:
        model: A config object of transformers, a model type ("llama"), the path of a config.json or of its folder, or a
            case of the scheme `hf:`.
        constants: Overrides of config fields, for a type or a path.

    Raises:
        UserError: It is none of these, or transformers has no model for it.
    """
    if isinstance(model, Case):
        config = model.init_args[0] if model.init_args else None
        if not isinstance(config, PretrainedConfig) or model.module_class is None:
            raise UserError(
                f"case '{model.name}' has no transformers config",
                remedy="name a case as hf:TYPE or hf:path/config.json",
            )
        found: Any = model.module_class()
        return Subject(model.name, config, found)
    if isinstance(model, PretrainedConfig):
        if constants:
            raise UserError("constants go with a model type or a path", remedy="set the fields of the config object")
        return Subject(model.model_type, model, model_class_of(model))
    if isinstance(model, str | Path):
        reference = str(model).removeprefix("hf:")
        config, _ = read_transformers_config(reference, constants)
        return Subject(f"hf:{reference}", config, model_class_of(config))
    raise UserError(
        f"cannot predict a {type(model).__name__}", remedy="give a transformers config, a model type, a path or a case"
    )
