"""Cases from transformers: `hf:MODEL_TYPE` or `hf:path/to/config.json`."""

import inspect
import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import transformers
from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_MAPPING, PretrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto

from netwright.cases import Case, CaseOptions
from netwright.cases.constants import split_settings
from netwright.cases.draw import draw_declared
from netwright.errors import UserError, unknown_name
from netwright.files import content_key
from netwright_zoo.transformers_inputs import InputOptions, declare_inputs

SIZES = frozenset(
    {
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "vocab_size",
    }
)
"""Fields that count something in every config that has them."""


def load_transformers_case(reference: str, options: CaseOptions) -> Case:
    """The case of a transformers model with random weights, in eval mode unless told otherwise; the hub is not asked.

    The class is the one that the config's `architectures` names, else the type's causal language model, or its bare
    model where it has none. No cache of keys and values is
    returned unless `use_cache: true` asks for it.

    Args:
        reference: A model type ("llama"), or the path of a config.json or of the folder that holds it.
        options: `constants` may hold `batch_size`, `sequence_length`, `image_size` and any field of the config, of its
            text part or of its vision part, e.g. `num_hidden_layers`.

    Raises:
        UserError: There is no such type, file or field (the nearest name is shown), the config is refused, or netwright
            cannot draw what the model takes.
    """
    config, settings = read_transformers_config(reference, options.constants)
    model_class = model_class_of(config)
    inputs = declare_inputs(model_class, config, settings)
    return Case(
        name=f"hf:{reference}",
        description=f"{model_class.__name__} of transformers {transformers.__version__}",
        build=partial(model_class._from_config, config),
        draw_inputs=partial(draw_declared, inputs),
        mode=options.mode or "eval",
        options=options,
        module_class=lambda: model_class,
        init_args=(config,),
        content=content_key(
            model_class.__name__, transformers.__version__, config.to_dict(), inputs.model_dump(mode="json")
        ),
    )


def read_transformers_config(
    reference: str, constants: Mapping[str, Any] | None = None
) -> tuple[PretrainedConfig, InputOptions]:
    """The config that a reference names, with overrides, and the sizes of inputs among them; the hub is not asked.

    Args:
        reference: A model type ("llama"), or the path of a config.json or of the folder that holds it.
        constants: As `load_transformers_case` takes them.

    Raises:
        UserError: There is no such type, file or field (the nearest name is shown), or the config is refused.
    """
    values = _read_config(Path(reference)) if "/" in reference or reference.endswith(".json") else {}
    model_type = str(values.get("model_type", reference))
    if model_type not in CONFIG_MAPPING:
        raise unknown_name("transformers model type", model_type, CONFIG_MAPPING.keys())
    config = _make_config(model_type, values)
    settings, overrides = split_settings(InputOptions, constants, excluded=_fields(config))
    return _make_config(model_type, _override(values, overrides, config, f"hf:{reference}")), settings


def _read_config(path: Path) -> dict[str, Any]:
    file = path / "config.json" if path.is_dir() else path
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        remedy = "give a model type (hf:llama) or a local config.json; the hub is not asked"
        raise UserError(f"cannot read {file}", why=(error.strerror or str(error)).lower(), remedy=remedy) from None
    except ValueError as error:
        raise UserError(f"{file} is not JSON", why=str(error)) from None
    if not isinstance(values, dict) or "model_type" not in values:
        raise UserError(f"{file} is no config of transformers", why="it has no model_type")
    return values


def _make_config(model_type: str, values: Mapping[str, Any]) -> PretrainedConfig:
    _check_sizes(model_type, values)
    try:
        config = CONFIG_MAPPING[model_type].from_dict(dict(values))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UserError(f"transformers refuses this config of '{model_type}'", why=reason) from error
    _check_heads(config)
    return config


def _check_sizes(model_type: str, values: Mapping[str, Any]) -> None:
    """Refuse what transformers lets pass and torch stumbles over: a width, or a number of parts, below zero.

    Raises:
        UserError: One is.
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            _check_sizes(model_type, value)
        elif name in SIZES and isinstance(value, int) and value < 0:
            raise UserError(f"'{name}' of this config of '{model_type}' cannot be {value}", why="it is a size")


def _check_heads(config: PretrainedConfig) -> None:
    """Refuse heads of keys that cannot be shared evenly.

    Raises:
        UserError: They cannot.
    """
    values = config.to_dict()
    heads, shared = values.get("num_attention_heads"), values.get("num_key_value_heads")
    if isinstance(heads, int) and isinstance(shared, int) and shared > 0 and heads % shared:
        raise UserError(
            f"'num_key_value_heads' of this config of '{config.model_type}' cannot be {shared}",
            why=f"it does not divide the {heads} attention heads that share them",
        )


def _fields(config: PretrainedConfig) -> set[str]:
    return {*inspect.signature(type(config)).parameters, *type(config).attribute_map}


def _override(
    values: Mapping[str, Any], overrides: Mapping[str, Any], config: PretrainedConfig, name: str
) -> dict[str, Any]:
    """The config's values with the overrides, each where that field is: in itself, its text part or its vision part.

    Raises:
        UserError: None of them has it; the nearest field is shown.
    """
    inner = {part: getattr(config, part) for part in ("text_config", "vision_config") if part in config.sub_configs}
    parts = {part: found for part, found in inner.items() if found is not None}
    merged = {**values, **{part: dict(values.get(part) or {}) for part in parts}}
    places = [(config, merged), *((parts[part], merged[part]) for part in parts)]
    known = {field for place, _ in places for field in _fields(place)}
    for field, value in {**({"use_cache": False} if "use_cache" in known else {}), **overrides}.items():
        if field not in known:
            raise unknown_name(f"constant of {name}", field, {*known, *InputOptions.model_fields})
        place, its_values = next((place, its) for place, its in places if field in _fields(place))
        its_values[place.attribute_map.get(field, field)] = value
        if field == "num_hidden_layers" and its_values.get("layer_types"):
            types = its_values["layer_types"]
            its_values["layer_types"] = [types[number % len(types)] for number in range(value)]
    return merged


def model_class_of(config: PretrainedConfig) -> type[PreTrainedModel]:
    """The class that a config names, else its type's causal language model, bare model, or model for another task.

    Raises:
        UserError: The type has only a config.
    """
    named = next((getattr(transformers, name, None) for name in config.architectures or ()), None)
    if isinstance(named, type) and issubclass(named, PreTrainedModel):
        return named
    for mapping in (MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_MAPPING, *_task_mappings()):
        if type(config) in mapping:
            found: Any = mapping[type(config)]
            model_class: type[PreTrainedModel] = found[0] if isinstance(found, tuple | list) else found
            return model_class
    raise UserError(f"transformers has no model for '{config.model_type}'", why="the type has only a config")


def _task_mappings() -> Iterator[Any]:
    """The classes of every task that transformers knows, by config: some types have a model for one task only."""
    for name, mapping in list(vars(modeling_auto).items()):
        if name.startswith("MODEL_FOR_") and name.endswith("_MAPPING"):
            yield mapping
