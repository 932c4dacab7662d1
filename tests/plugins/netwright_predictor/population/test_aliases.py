"""Names: the table agrees with what transformers says of every model type that it has."""

from typing import Any

import pytest
from transformers import CONFIG_MAPPING

from netwright_predictor.population import AmbiguousParameterError, populate
from netwright_predictor.population.aliases import ALIASES, attribute_map


def test_an_unknown_model_type_has_no_names() -> None:
    assert attribute_map("no_such_model") == {}
    assert attribute_map("gpt2")["hidden_size"] == "n_embd"


@pytest.mark.slow
def test_every_model_type_is_read_by_the_names_that_transformers_gives_it() -> None:
    differing, read = [], 0
    for model_type in CONFIG_MAPPING.keys():  # noqa: SIM118 - iterating over it shows nothing
        try:
            config: Any = CONFIG_MAPPING[model_type]()
            values = config.to_dict()
        except Exception:  # some types have no default config
            continue
        for name, key in config.attribute_map.items():
            if name not in ALIASES or values.get(key) is None or isinstance(values[key], list | tuple):
                continue
            try:
                found = populate({name: type(values[key]).__name__}, config=values).values[name]
            except AmbiguousParameterError:  # an encoder and a decoder of different sizes
                continue
            read += 1
            if found != values[key]:
                differing.append(f"{model_type}.{name}: {found} instead of {values[key]}")
    assert differing == []
    assert read > 100
