"""What the structure of real models says, held against their configs."""

from typing import Any

import pytest
from torch import nn
from transformers import (
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from netwright_predictor.population import AmbiguousParameterError, populate
from netwright_predictor.population.evidence import StructureIndex
from netwright_predictor.structure import build_skeleton, enhanced_structure, structure_tree

SIZES = (
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "num_hidden_layers",
)


@pytest.mark.parametrize(
    ("model_class", "config", "left_out"),
    [
        (LlamaForCausalLM, LlamaConfig(num_key_value_heads=8, num_hidden_layers=3), ()),
        (Qwen3ForCausalLM, Qwen3Config(num_hidden_layers=3, head_dim=128), ()),
        (Gemma3ForCausalLM, Gemma3TextConfig(num_hidden_layers=7), ()),
        (MixtralForCausalLM, MixtralConfig(num_hidden_layers=2), ("intermediate_size",)),
        (
            GPT2LMHeadModel,
            GPT2Config(n_layer=2, n_inner=3072),
            ("intermediate_size", "num_attention_heads", "num_key_value_heads"),
        ),
    ],
    ids=["llama", "qwen3", "gemma3", "mixtral", "gpt2"],
)
def test_sizes_of_whole_models_are_found_without_a_config(
    model_class: type[nn.Module], config: Any, left_out: tuple[str, ...]
) -> None:
    names = [name for name in SIZES if name not in left_out]
    text = enhanced_structure(build_skeleton(model_class, config))
    head_dim = {"head_dim": getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads}
    found = {name: populate({name: "int"}, config=head_dim, structure=text) for name in names}
    assert {name: each.values[name] for name, each in found.items()} == {name: getattr(config, name) for name in names}
    assert {each.provenance[name].rule for name, each in found.items()} <= {"structure", "derived"}


def test_sizes_of_transposed_linear_layers() -> None:
    index = StructureIndex(structure_tree(build_skeleton(GPT2LMHeadModel, GPT2Config(n_layer=1))))
    (widening,) = [node for path, node in index.instances("transformers.pytorch_utils.Conv1D") if path.endswith("c_fc")]
    assert widening.values["weight"] == (768, 3072)
    with pytest.raises(AmbiguousParameterError, match=r"c_attn.*c_fc"):
        populate(
            {"out_features": "int"},
            config={},
            structure=index.tree.render(),
            module_class="transformers.pytorch_utils.Conv1D",
        )


def test_experts_in_three_dimensional_parameters() -> None:
    text = enhanced_structure(build_skeleton(MixtralForCausalLM, MixtralConfig(num_hidden_layers=2)))
    known = populate({"num_experts": "int"}, config={}, structure=text).provenance["num_experts"]
    assert (known.value, known.source) == (8, "model.layers.0-1.mlp.experts.gate_up_proj[0]")


def test_the_shared_expert_is_no_dense_layer() -> None:
    config = DeepseekV3Config(num_hidden_layers=4)
    text = enhanced_structure(build_skeleton(DeepseekV3ForCausalLM, config))
    dense = "transformers.models.deepseek_v3.modeling_deepseek_v3.DeepseekV3MLP"
    with pytest.raises(AmbiguousParameterError, match=r"18432 at model\.layers\.0-2\.mlp.*2048 at .*shared_experts"):
        populate({"intermediate_size": "int"}, config=config.to_dict(), structure=text, module_class=dense)


def test_plain_names_match_any_modules_class() -> None:
    printed = repr(nn.ModuleDict({"embed_tokens": nn.Embedding(100, 8)}))
    table = "torch.nn.modules.sparse.Embedding"
    assert populate({"num_embeddings": "int"}, config={}, structure=printed, module_class=table).values == {
        "num_embeddings": 100
    }
