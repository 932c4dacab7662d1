"""The architecture JSON: the seed's form, under a published schema."""

import json
import re
from typing import Any

import pytest
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM

from netwright.errors import UserError
from netwright_predictor.structure import (
    architecture_json,
    architecture_schema,
    build_skeleton,
    read_architecture,
    structure_tree,
)

jsonschema = pytest.importorskip("jsonschema")

SEED_EXAMPLE = {
    "model_id": "meta-llama/Llama-2-7b-hf",
    "layers": [
        {
            "name": "model",
            "class": "transformers.models.llama.modeling_llama.LlamaModel",
            "sub_layers": [
                {"name": "embed_tokens", "class": "torch.nn.modules.sparse.Embedding"},
                {
                    "name": "decoder_layer",
                    "class": "transformers.models.llama.modeling_llama.LlamaDecoderLayer",
                    "repeat": 32,
                },
            ],
        }
    ],
}


def validate(value: object) -> None:
    jsonschema.Draft202012Validator(architecture_schema()).validate(value)


def bare(layer: dict[str, Any], depth: int) -> dict[str, Any]:
    """A layer with the keys of the seed's example alone, down to a depth."""
    kept: dict[str, Any] = {key: layer[key] for key in ("name", "class", "repeat") if key in layer}
    if depth and "sub_layers" in layer:
        kept["sub_layers"] = [bare(each, depth - 1) for each in layer["sub_layers"]]
    return kept


def test_the_schema_is_one_and_takes_the_seeds_example() -> None:
    jsonschema.Draft202012Validator.check_schema(architecture_schema())
    validate(SEED_EXAMPLE)


def test_llama_reads_as_in_the_seed() -> None:
    model = build_skeleton(LlamaForCausalLM, LlamaConfig(num_hidden_layers=32))
    architecture = architecture_json(model, "meta-llama/Llama-2-7b-hf")
    validate(architecture)
    assert json.loads(json.dumps(architecture)) == architecture
    first = bare(architecture["layers"][0], 1)
    first["sub_layers"] = first["sub_layers"][:2]  # the seed leaves out what follows the layers
    assert {"model_id": architecture["model_id"], "layers": [first]} == SEED_EXAMPLE


def test_layers_of_different_types_stay_apart_and_say_where_they_are() -> None:
    model = build_skeleton(Gemma3ForCausalLM, Gemma3TextConfig(num_hidden_layers=8))
    architecture = architecture_json(model, "gemma")
    validate(architecture)
    layers = [each for each in architecture["layers"][0]["sub_layers"] if each["name"] == "decoder_layer"]
    assert [(each["path"], each.get("repeat", 1)) for each in layers] == [
        ("model.layers.0-4", 5),
        ("model.layers.5", 1),
        ("model.layers.6-7", 2),
    ]


def test_what_is_written_is_read_back() -> None:
    model = build_skeleton(LlamaForCausalLM, LlamaConfig(num_hidden_layers=3, vocab_size=100))
    read = read_architecture(architecture_json(model, "small"))
    written = structure_tree(model)
    values = read.find("model.decoder_layer.mlp.gate_proj"), written.find("model.layers.0.mlp.gate_proj")
    assert values[0] is not None
    assert values[1] is not None
    assert values[0].values == values[1].values
    assert sum(times for _, each, times in read.walk() if each.class_name == "Linear") == 3 * 7 + 1


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({}, "the architecture has no 'model_id'"),
        ({"model_id": "m"}, "'layers' of the architecture is no list"),
        ({"model_id": "m", "layers": [3]}, "'layers.0' of the architecture is no object"),
        ({"model_id": "m", "layers": [{"name": "a"}]}, "'layers.0' of the architecture has no 'class'"),
        (
            {"model_id": "m", "layers": [{"name": "a", "class": "A", "repeat": 0}]},
            "'layers.0.repeat' of the architecture cannot be 0",
        ),
        (
            {"model_id": "m", "layers": [{"name": "a", "class": "A", "sub_layers": [{}]}]},
            "'layers.0.sub_layers.0' of the architecture has no 'name'",
        ),
    ],
)
def test_what_is_no_architecture_is_refused_with_its_place(architecture: dict[str, Any], message: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(architecture)
    with pytest.raises(UserError, match=re.escape(message)):
        read_architecture(architecture)
