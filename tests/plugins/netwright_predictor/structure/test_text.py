"""The enhanced structure: the seed's text, with shapes and with what tells layers apart."""

from types import SimpleNamespace

import torch
from torch import nn
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
)

from netwright_predictor.structure import build_skeleton, enhanced_structure, structure_tree

LLAMA = LlamaConfig(
    vocab_size=32000,
    hidden_size=4096,
    intermediate_size=11008,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=32,
)
SEED_LINES = """\
LlamaForCausalLM(
  (model): transformers.models.llama.modeling_llama.LlamaModel(
    (embed_tokens): torch.nn.modules.sparse.Embedding(32000, 4096)
    (layers): torch.nn.modules.container.ModuleList(
      (0-31): 32 x transformers.models.llama.modeling_llama.LlamaDecoderLayer(
        (self_attn): transformers.models.llama.modeling_llama.LlamaAttention(
          (q_proj): torch.nn.modules.linear.Linear(in_features=4096, out_features=4096, bias=False)
          (k_proj): torch.nn.modules.linear.Linear(in_features=4096, out_features=4096, bias=False)
"""
"""The seed's example, but for the class that transformers has merged into LlamaAttention."""


def test_llama_reads_as_in_the_seed() -> None:
    assert enhanced_structure(build_skeleton(LlamaForCausalLM, LLAMA)).startswith(SEED_LINES)


def test_three_dimensional_experts_are_shown() -> None:
    config = MixtralConfig(hidden_size=64, intermediate_size=96, num_local_experts=4, num_hidden_layers=2)
    text = enhanced_structure(build_skeleton(MixtralForCausalLM, config))
    assert "gate_up_proj=Parameter(4, 192, 64), down_proj=Parameter(4, 64, 96)" in text


def test_layers_of_different_types_stay_apart() -> None:
    config = Gemma3TextConfig(num_hidden_layers=8, sliding_window=512, vocab_size=100)
    assert config.layer_types == [*["sliding_attention"] * 5, "full_attention", *["sliding_attention"] * 2]
    tree = structure_tree(build_skeleton(Gemma3ForCausalLM, config))
    layers = tree.find("model.layers")
    assert layers is not None
    assert [(each.name, each.repeat) for each in layers.children] == [("0-4", 5), ("5", 1), ("6-7", 2)]
    windows = [each.find("self_attn") for each in layers.children]
    assert [each.values["sliding_window"] for each in windows if each] == [512, None, 512]


class Layer(nn.Module):
    """One of many."""

    def __init__(self, number: int, window: int | None = None) -> None:
        super().__init__()
        self.layer_idx = number
        self.seed = 7 + number
        self.window = window
        self.place = f"layers.{number}"
        self.mix = nn.Linear(2, 2)


class Stack(nn.Module):
    """Layers in a list, under a config."""

    def __init__(self, layers: list[nn.Module], **config: object) -> None:
        super().__init__()
        self.config = SimpleNamespace(**config)
        self.layers = nn.ModuleList(layers)


def names(model: nn.Module, path: str = "layers") -> list[str]:
    node = structure_tree(model).find(path)
    assert node is not None
    return [child.name for child in node.children]


def test_an_index_tells_no_layers_apart() -> None:
    assert names(Stack([Layer(number) for number in range(4)])) == ["0-3"]


def test_any_other_attribute_does() -> None:
    layers: list[nn.Module] = [Layer(0, 8), Layer(1, 8), Layer(2), Layer(3, 8)]
    assert names(Stack(layers)) == ["0-1", "2", "3"]
    assert "window=None" in enhanced_structure(Stack(layers))


def test_a_list_of_the_config_does_where_layers_do_not_keep_it() -> None:
    model = Stack([Layer(number) for number in range(3)], layer_types=["full", "full", "local"], widths=[1, 2, 3])
    assert names(model) == ["0-1", "2"]
    assert "layer_type='local'" in enhanced_structure(model)
    assert "widths" not in enhanced_structure(model)


def test_parameters_in_lists_and_dictionaries_have_shapes() -> None:
    model = nn.Module()
    model.factors = nn.ParameterList([nn.Parameter(torch.empty(2, 3)), nn.Parameter(torch.empty(()))])
    assert "(factors): torch.nn.modules.container.ParameterList(0=Parameter(2, 3), 1=Parameter())" in (
        enhanced_structure(model)
    )


def test_equal_modules_of_a_sequence_are_one_line() -> None:
    text = enhanced_structure(nn.Sequential(nn.ReLU(), nn.ReLU(), nn.Dropout(0.1)))
    assert text == (
        "Sequential(\n"
        "  (0-1): 2 x torch.nn.modules.activation.ReLU()\n"
        "  (2): torch.nn.modules.dropout.Dropout(p=0.1, inplace=False)\n"
        ")"
    )
