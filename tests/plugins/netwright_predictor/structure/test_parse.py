"""Reading structure texts: what is written is read back, and so is what users paste."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import GptOssConfig, GptOssForCausalLM

from netwright.errors import UserError
from netwright_predictor.structure import StructureNode, build_skeleton, parse_structure, structure_tree
from netwright_predictor.structure.parse import reads_as_module

SEED_EXAMPLE = """
LlamaForCausalLM(
  (model): transformers.models.llama.modeling_llama.LlamaModel(
    (embed_tokens): torch.nn.modules.sparse.Embedding(32000, 4096)
    (layers): torch.nn.modules.container.ModuleList(
      (0-31): 32 x transformers.models.llama.modeling_llama.LlamaDecoderLayer(
        (self_attn): transformers.models.llama.modeling_llama.LlamaSdpaAttention(
          (q_proj): torch.nn.modules.linear.Linear(in_features=4096, out_features=4096, bias=False)
          (k_proj): torch.nn.modules.linear.Linear(in_features=4096, out_features=4096, bias=False)
        )
      )
    )
  )
)
"""

identifiers = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
class_paths = st.lists(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), min_size=1, max_size=3).map(
    ".".join
)
argument_lines = (
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=30)
    .map(str.strip)
    .filter(lambda line: bool(line) and not reads_as_module(line))
)
arguments = st.lists(argument_lines, max_size=3).map("\n".join)


def nodes(children: st.SearchStrategy[tuple[StructureNode, ...]]) -> st.SearchStrategy[StructureNode]:
    single = st.builds(StructureNode, identifiers, class_paths, arguments, children)
    first = st.integers(0, 9)
    many = st.builds(
        lambda start, more, path, text, inside: StructureNode(
            f"{start}-{start + more}", path, text, inside, repeat=more + 1
        ),
        first,
        st.integers(1, 40),
        class_paths,
        arguments,
        children,
    )
    return single | many


trees = st.recursive(
    nodes(st.just(())), lambda inner: nodes(st.lists(inner, max_size=3).map(tuple)), max_leaves=12
).map(lambda node: StructureNode("", node.class_path, node.arguments, node.children))


@settings(max_examples=30, deadline=None)
@given(trees)
def test_what_is_rendered_is_read_back(tree: StructureNode) -> None:
    assert parse_structure(tree.render()) == tree


@settings(max_examples=30, deadline=None)
@given(trees)
def test_indentation_does_not_matter(tree: StructureNode) -> None:
    flat = "\n".join(line.strip() for line in tree.render().splitlines())
    assert parse_structure(flat) == tree


def test_the_seeds_example_is_read() -> None:
    tree = parse_structure(SEED_EXAMPLE)
    assert tree.class_path == "LlamaForCausalLM"
    attention = tree.find("model.layers.7.self_attn")
    assert attention is not None
    assert attention.class_path == "transformers.models.llama.modeling_llama.LlamaSdpaAttention"
    query = attention.find("q_proj")
    assert query is not None
    assert query.values == {"in_features": 4096, "out_features": 4096, "bias": False}
    counts = {path: times for path, _, times in tree.walk()}
    assert counts["model.layers.0-31.self_attn.k_proj"] == 32


def test_positional_arguments_of_pytorchs_classes_have_names() -> None:
    tree = parse_structure("M(\n(e): torch.nn.modules.sparse.Embedding(32000, 4096, padding_idx=0)\n)")
    assert tree.children[0].values == {"num_embeddings": 32000, "embedding_dim": 4096, "padding_idx": 0}


def test_what_pytorch_prints_itself_is_read() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, kernel_size=(3, 3)), nn.ModuleList([nn.LSTM(4, 5), nn.LSTM(4, 5)]))
    model.register_module("absent", None)
    tree = parse_structure(repr(model))
    assert tree.children[0].values["out_channels"] == 8
    assert tree.children[1].children[0].repeat == 2
    assert len(tree.children) == 2


def test_a_real_model_with_experts_and_windows_is_read_back() -> None:
    tree = structure_tree(build_skeleton(GptOssForCausalLM, GptOssConfig(num_hidden_layers=4)))
    assert parse_structure(tree.render()) == tree
    experts = tree.find("model.layers.3.mlp.experts")
    assert experts is not None
    assert experts.values["gate_up_proj"] == (128, 2880, 5760)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the model structure is empty"),
        ("hello", "line 1 of the model structure cannot be read: hello"),
        ("A(\n  (b): B(\n", "ends too early: 'B' of line 2 is not closed"),
        ("A()\nB()", "line 2 of the model structure cannot be read: B(); the model is already closed"),
        ("A(\n  (b): B(x\n)", "line 2 of the model structure cannot be read: (b): B(x; the line does not end with ')'"),
    ],
)
def test_what_cannot_be_read_names_the_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        parse_structure(text)
