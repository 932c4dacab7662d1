"""The rules: priority, names, parts of composite configs, provenance, and what is refused."""

import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright_predictor.population import (
    AmbiguousParameterError,
    MissingParameterError,
    ParameterError,
    ParameterTypeError,
    populate,
)

LLAMA = "transformers.models.llama.modeling_llama.LlamaSdpaAttention"
SEED_REQUIRED = dict.fromkeys(
    ("B", "S", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "dtype_bytes"), "int"
)
SEED_CONFIG = {
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "torch_dtype": "float16",
    "max_position_embeddings": 4096,
}
SEED_STRUCTURE = """
LlamaForCausalLM(
  (model): transformers.models.llama.modeling_llama.LlamaModel(
    (embed_tokens): torch.nn.modules.sparse.Embedding(32000, 4096)
    (layers): torch.nn.modules.container.ModuleList(
      (0-31): 32 x transformers.models.llama.modeling_llama.LlamaDecoderLayer(
        (self_attn): transformers.models.llama.modeling_llama.LlamaSdpaAttention(
          (q_proj): torch.nn.modules.linear.Linear(in_features=4096, out_features=4096, bias=False)
          (k_proj): torch.nn.modules.linear.Linear(in_features=4096, out_features=1024, bias=False)
        )
      )
    )
  )
)
"""


def value(name: str, config: Mapping[str, Any], kind: str = "int", **inputs: Any) -> Any:
    return populate({name: kind}, config=config, **inputs).values[name]


def origin(name: str, config: Mapping[str, Any], kind: str = "int", **inputs: Any) -> tuple[str, str, str]:
    known = populate({name: kind}, config=config, **inputs).provenance[name]
    return known.rule, known.source, known.formula


def test_the_seeds_example() -> None:
    populated = populate(
        SEED_REQUIRED,
        config=SEED_CONFIG,
        runtime={"B": 8, "S": 1024},
        structure=SEED_STRUCTURE.replace("out_features=1024", "out_features=4096"),
        module_class=LLAMA,
    )
    assert populated.values == {
        "B": 8,
        "S": 1024,
        "hidden_size": 4096,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "head_dim": 128,
        "dtype_bytes": 2,
    }
    assert {name: (each.rule, each.source) for name, each in populated.provenance.items()} == {
        "B": ("runtime", "runtime_parameters.B"),
        "S": ("runtime", "runtime_parameters.S"),
        "hidden_size": ("config", "hidden_size"),
        "num_attention_heads": ("config", "num_attention_heads"),
        "num_key_value_heads": ("config", "num_key_value_heads"),
        "head_dim": ("derived", "hidden_size, num_attention_heads"),
        "dtype_bytes": ("derived", "torch_dtype"),
    }
    assert populated.provenance["head_dim"].formula == "hidden_size // num_attention_heads"
    assert str(populated.provenance["dtype_bytes"]) == ("dtype_bytes = 2 (derived: bytes of float16 with torch_dtype)")


def test_population_imports_no_torch() -> None:
    names = "populate, populate_or_ask"
    code = f"import sys; from netwright_predictor.population import {names}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_each_rule_outranks_those_after_it() -> None:
    structure = SEED_STRUCTURE
    instance = {"num_attention_heads": 16}
    config = {"num_attention_heads": 8}
    inputs = {"structure": structure, "module_class": LLAMA}
    assert value("num_attention_heads", config, runtime={"num_attention_heads": 4}, instance=instance, **inputs) == 4
    assert value("num_attention_heads", config, instance=instance, **inputs) == 16
    assert value("num_attention_heads", config, **inputs) == 8
    assert value("num_attention_heads", {"head_dim": 128}, **inputs) == 32  # 4096 columns of q_proj, 128 each
    assert value("hidden_size", {}, **inputs, runtime={"hidden_size": 2}) == 2
    assert value("B", {}) == 1


def test_a_head_dim_that_is_given_outranks_the_derived_one() -> None:
    assert value("head_dim", {**SEED_CONFIG, "head_dim": 256}) == 256
    assert origin("head_dim", {**SEED_CONFIG, "head_dim": 256}) == ("config", "head_dim", "")


def test_null_is_absent() -> None:
    config = {**SEED_CONFIG, "head_dim": None, "num_key_value_heads": None}
    assert value("head_dim", config) == 128
    assert value("num_key_value_heads", config) == 32
    assert value("head_dim", config, instance={"head_dim": None}) == 128


def test_the_parts_of_a_composite_config() -> None:
    config = {
        "model_type": "llava",
        "text_config": {"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32},
        "vision_config": {"model_type": "clip_vision_model", "hidden_size": 1024, "num_attention_heads": 16},
    }
    assert origin("num_attention_heads", config) == ("config", "text_config.num_attention_heads", "")
    tower = "transformers.models.clip.modeling_clip.CLIPAttention"
    assert origin("hidden_size", config, module_class=tower) == ("config", "vision_config.hidden_size", "")
    assert value("hidden_size", config, module_class="transformers.models.llama.modeling_llama.LlamaMLP") == 4096
    assert value("head_dim", config, module_class="some.VisionAttention") == 64


def test_parts_inside_parts() -> None:
    config = {"thinker_config": {"text_config": {"hidden_size": 8}, "audio_config": {"d_model": 6}}}
    assert origin("hidden_size", config) == ("config", "thinker_config.text_config.hidden_size", "")
    assert value("hidden_size", config, module_class="a.b.AudioEncoder") == 6


def test_a_class_under_several_parts_is_ambiguous() -> None:
    config = {"text_config": {"hidden_size": 512}, "vision_config": {"hidden_size": 768}}
    structure = """CLIPModel(
      (text_model): TextModel(
        (self_attn): x.CLIPAttention()
      )
      (vision_model): VisionModel(
        (self_attn): x.CLIPAttention()
      )
    )"""
    with pytest.raises(AmbiguousParameterError, match=r"512 at text_model.self_attn; 768 at vision_model.self_attn"):
        value("hidden_size", config, structure=structure, module_class="x.CLIPAttention")
    found = value(
        "hidden_size", config, instance={"embed_dim": 768}, structure=structure, module_class="x.CLIPAttention"
    )
    assert found == 768


def test_parts_that_are_neither_text_nor_named_must_agree() -> None:
    config = {"first_config": {"hidden_size": 8}, "second_config": {"hidden_size": 8, "depth": 2}}
    assert value("hidden_size", config) == 8
    with pytest.raises(AmbiguousParameterError, match=r"8 at first_config.hidden_size; 9 at second_config.hidden_size"):
        value("hidden_size", {**config, "second_config": {"hidden_size": 9}})


@pytest.mark.parametrize(
    ("config", "name", "expected", "source"),
    [
        ({"n_embd": 768, "n_head": 12}, "hidden_size", 768, "n_embd"),
        ({"n_embd": 768, "n_head": 12}, "num_attention_heads", 12, "n_head"),
        ({"n_layer": 3}, "num_hidden_layers", 3, "n_layer"),
        ({"d_model": 512, "d_kv": 64}, "head_dim", 64, "d_kv"),
        ({"attn_config": {"kv_n_heads": 8}}, "num_key_value_heads", 8, "attn_config.kv_n_heads"),
        (
            {"model_type": "whisper", "max_target_positions": 448},
            "max_position_embeddings",
            448,
            "max_target_positions",
        ),
    ],
)
def test_other_names(config: dict[str, Any], name: str, expected: int, source: str) -> None:
    assert origin(name, config) == ("config", source, "")
    assert value(name, config) == expected


def test_the_names_of_the_model_type_decide_between_several() -> None:
    config = {"model_type": "distilbert", "dim": 768, "hidden_dim": 3072, "n_heads": 12, "n_layers": 6}
    assert origin("hidden_size", config) == ("config", "dim", "")


def test_two_halves_in_one_config() -> None:
    config = {"encoder_attention_heads": 16, "decoder_attention_heads": 8}
    assert value("num_attention_heads", config, module_class="x.BartEncoderLayer") == 16
    assert value("num_attention_heads", config, module_class="x.BartDecoderLayer") == 8
    with pytest.raises(AmbiguousParameterError, match="16 at encoder_attention_heads; 8 at decoder_attention_heads"):
        value("num_attention_heads", config)
    structure = "Bart(\n(encoder): E(\n(attn): x.Attention()\n)\n(decoder): D(\n(attn): x.Attention()\n)\n)"
    with pytest.raises(AmbiguousParameterError, match=r"16 at encoder.attn; 8 at decoder.attn"):
        value("num_attention_heads", config, structure=structure, module_class="x.Attention")


def test_the_instance_outranks_the_config_by_other_names_too() -> None:
    config = {"hidden_size": 768, "num_attention_heads": 12, "num_key_value_heads": 4}
    instance = {"embed_dim": 512, "num_heads": 8, "num_key_value_groups": 8, "dropout": 0.1}
    assert origin("hidden_size", config, instance=instance) == ("instance", "instance.embed_dim", "")
    assert value("num_attention_heads", config, instance=instance) == 8
    assert origin("num_key_value_heads", config, instance=instance) == (
        "instance",
        "instance.num_key_value_groups",
        "num_attention_heads // num_key_value_groups",
    )
    assert value("head_dim", config, instance=instance) == 64


def test_an_attribute_of_another_type_is_not_the_parameter() -> None:
    assert value("hidden_size", {"hidden_size": 8}, instance={"hidden_size": "wide"}) == 8


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"max_position_embeddings": 2048}, 2048),
        ({"n_positions": 1024}, 1024),
        ({"max_position_embeddings": None}, 512),
        ({}, 512),
    ],
)
def test_the_sequence_length(config: dict[str, Any], expected: int) -> None:
    assert value("S", config) == expected
    assert value("S", config, runtime={"S": 3}) == 3


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"dtype": "bfloat16"}, 2),
        ({"torch_dtype": "float16"}, 2),
        ({"dtype": "float32", "torch_dtype": "float16"}, 4),
        ({"dtype": "torch.float8_e4m3fn"}, 1),
        ({"dtype": "int8"}, 1),
        ({"dtype": "auto"}, 4),
        ({"dtype": None}, 4),
        ({}, 4),
        ({"text_config": {"dtype": "float64"}}, 8),
    ],
)
def test_bytes_of_the_dtype(config: dict[str, Any], expected: int) -> None:
    found = value("dtype_bytes", config)
    assert found == expected
    assert type(found) is int


def test_half_bytes_are_floats_and_refused_as_integers() -> None:
    assert value("dtype_bytes", {"dtype": "int4"}, "float") == 0.5
    assert value("dtype_bytes", {"dtype": "mxfp4"}, "float") == 0.53125  # 4 bits, and 8 bits of scale per 32
    with pytest.raises(ParameterTypeError, match=r"'dtype_bytes' must be int, and is no whole number; dtype says 0.5"):
        value("dtype_bytes", {"dtype": "int4"})


def test_the_weights_of_a_quantized_model() -> None:
    config = {"dtype": "bfloat16", "quantization_config": {"quant_method": "fp8"}}
    assert value("weight_dtype_bytes", config) == 1
    assert value("dtype_bytes", config) == 2
    assert value("weight_dtype_bytes", {"dtype": "bfloat16"}) == 2


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"multi_query": True, "num_attention_heads": 71}, 1),
        ({"multi_query": True, "new_decoder_architecture": True, "num_attention_heads": 8}, 8),
        ({"num_attention_heads": 8}, 8),
        ({"num_kv_heads": 2, "num_attention_heads": 8}, 2),
    ],
)
def test_key_and_value_heads(config: dict[str, Any], expected: int) -> None:
    assert value("num_key_value_heads", config) == expected


def test_key_and_value_heads_are_those_of_the_structure_rather_than_assumed() -> None:
    inputs = {"structure": SEED_STRUCTURE, "module_class": LLAMA}
    assert origin("num_key_value_heads", {"num_attention_heads": 32}, **inputs) == (
        "structure",
        "model.layers.0-31.self_attn.k_proj.out_features",
        "out_features // head_dim = 1024 // 128",
    )
    assert value("num_key_value_heads", {"num_attention_heads": 32, "num_key_value_heads": 8}, **inputs) == 8


def test_formulas_of_other_sizes() -> None:
    assert value("qk_head_dim", {"qk_nope_head_dim": 128, "qk_rope_head_dim": 64}) == 192
    assert value("num_key_value_groups", {"num_attention_heads": 32, "num_key_value_heads": 8}) == 4
    assert origin("intermediate_size", {"n_embd": 768, "n_inner": None}) == (
        "derived",
        "n_inner, n_embd",
        "4 * hidden_size where n_inner is null",
    )


def test_the_structure_says_what_the_config_does_not() -> None:
    inputs = {"structure": SEED_STRUCTURE, "module_class": LLAMA}
    assert origin("hidden_size", {}, **inputs) == (
        "structure",
        "model.layers.0-31.self_attn.q_proj.in_features",
        "",
    )
    assert value("vocab_size", {}, **inputs) == 32000
    assert value("num_hidden_layers", {}, **inputs) == 32
    table = "torch.nn.modules.sparse.Embedding"
    assert value("embedding_dim", {}, structure=SEED_STRUCTURE, module_class=table) == 4096


def test_the_architecture_serves_where_there_is_no_structure() -> None:
    layer = {"name": "decoder_layer", "class": "x.Layer", "repeat": 32}
    architecture = {"model_id": "m", "layers": [{"name": "model", "class": "x.M", "sub_layers": [layer]}]}
    assert origin("num_hidden_layers", {}, architecture=architecture) == (
        "structure",
        "model.decoder_layer.repeat",
        "",
    )


def test_instances_that_differ_are_listed() -> None:
    linear = "torch.nn.modules.linear.Linear"
    with pytest.raises(AmbiguousParameterError) as error:
        value("out_features", {}, structure=SEED_STRUCTURE, module_class=linear)
    assert dict(error.value.candidates) == {
        "model.layers.0-31.self_attn.q_proj.out_features": 4096,
        "model.layers.0-31.self_attn.k_proj.out_features": 1024,
    }
    assert value("in_features", {}, structure=SEED_STRUCTURE, module_class=linear) == 4096


def test_a_key_of_the_config_does_not_hide_that_instances_differ() -> None:
    structure = "M(\n(0): x.Attention(sliding_window=512)\n(1): x.Attention(sliding_window=None)\n)"
    with pytest.raises(AmbiguousParameterError, match=r"512 at 0; None at 1"):
        value("sliding_window", {"sliding_window": 512}, structure=structure, module_class="x.Attention")
    config = {"sliding_window": 512}
    assert value("sliding_window", config, instance={"sliding_window": 256}, module_class="x.Attention") == 256


def test_shared_and_dense_experts_differ() -> None:
    structure = """M(
      (mlp): x.MLP(
        (up_proj): torch.nn.modules.linear.Linear(in_features=8, out_features=64, bias=False)
      )
      (shared): x.MLP(
        (up_proj): torch.nn.modules.linear.Linear(in_features=8, out_features=16, bias=False)
      )
    )"""
    with pytest.raises(AmbiguousParameterError, match=r"64 at mlp.up_proj.out_features; 16 at shared.up_proj"):
        value("intermediate_size", {"intermediate_size": 64}, structure=structure, module_class="x.MLP")


@pytest.mark.parametrize(
    ("config", "inputs", "message"),
    [
        (
            {"hidden_size": 100, "num_attention_heads": 12},
            {},
            "hidden_size 100 is no multiple of num_attention_heads 12",
        ),
        ({"head_dim": 0}, {}, "'head_dim' cannot be 0; head_dim says so, and a size must be positive"),
        ({"head_dim": 8}, {"runtime": {"B": 0}}, "runtime_parameters: 'B' cannot be 0; it must be positive"),
        ({"head_dim": 8}, {"runtime": {"S": -1}}, "runtime_parameters: 'S' cannot be -1"),
    ],
)
def test_contradictory_and_impossible_sizes(config: dict[str, Any], inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=re.escape(message)) as error:
        value("head_dim", config, **inputs)
    assert isinstance(error.value, ValueError)
    assert error.value.exit_code == 2


def test_heads_that_do_not_share_evenly() -> None:
    required = {"num_attention_heads": "int", "num_key_value_heads": "int"}
    with pytest.raises(ParameterError, match="num_attention_heads 32 is no multiple of num_key_value_heads 5"):
        populate(required, config={"num_attention_heads": 32, "num_key_value_heads": 5})


def test_an_unknown_dtype_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match="no number type named 'bfloat17'; did you mean 'bfloat16'"):
        value("dtype_bytes", {"dtype": "bfloat17"})


@pytest.mark.parametrize(
    ("required", "config", "runtime", "message"),
    [
        ({"B": "integer"}, {}, None, "the type of 'B' cannot be 'integer'"),
        ({"B": int}, {}, None, "the type of 'B' cannot be"),
        ({"B": ["int"]}, {}, None, "the type of 'B' cannot be ['int']"),
        ({1: "int"}, {}, None, "a name must be str"),
        (["B"], {}, None, "required_parameters must be dict, not list"),
        ({"B": "int"}, {}, {"B": "8"}, "runtime_parameters: 'B' must be int, not str"),
        ({"B": "int"}, {}, {"B": True}, "runtime_parameters: 'B' must be int, not bool"),
        ({"B": "int"}, {}, [8], "runtime_parameters must be dict or None, not list"),
        ({"hidden_size": "int"}, {"hidden_size": "4096"}, None, "'hidden_size' must be int, not str; hidden_size says"),
        ({"hidden_size": "int"}, {"hidden_size": [64, 128]}, None, "'hidden_size' must be int, not list"),
    ],
)
def test_wrong_types(required: Any, config: dict[str, Any], runtime: Any, message: str) -> None:
    with pytest.raises(ParameterTypeError, match=re.escape(message)) as error:
        populate(required, config=config, runtime=runtime)
    assert isinstance(error.value, TypeError)


def test_a_missing_parameter_names_what_was_tried() -> None:
    with pytest.raises(MissingParameterError) as error:
        populate({"head_dim": "int", "state": "int"}, config={"hidden_size": 8}, structure="M()", module_class="x.A")
    assert str(error.value) == (
        "no value for the required parameter 'head_dim' (int), nor for 'state'; "
        "tried runtime_parameters.head_dim; the config's head_dim (in config); "
        "hidden_size // num_attention_heads (num_attention_heads not known); "
        "the modules of the structure (0 of them are A); "
        "give it at run time: runtime_parameters={'head_dim': ...}"
    )
    assert set(error.value.tried) == {"head_dim", "state"}


@settings(max_examples=50)
@given(st.integers(1, 64), st.integers(1, 256), st.integers(1, 8), st.booleans())
def test_heads_times_their_width_is_the_width(heads: int, width: int, shared: int, nested: bool) -> None:
    config = {
        "hidden_size": heads * shared * width,
        "num_attention_heads": heads * shared,
        "num_key_value_heads": heads,
    }
    required = dict.fromkeys(("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim"), "int")
    values = populate(required, config={"text_config": config} if nested else config).values
    assert values == {**config, "head_dim": width}
