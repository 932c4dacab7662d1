"""Cases from transformers."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config

from netwright.cases import CaseOptions, load_case
from netwright.cases.module import build_module, draw_inputs, prepare_module
from netwright.errors import UserError

TINY: dict[str, Any] = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 60,
}


def load(reference: str, **constants: Any) -> Any:
    return load_case(f"hf:{reference}", CaseOptions(constants=constants or None))


def run(case: Any) -> Any:
    inputs = draw_inputs(case, seed=0)
    with torch.no_grad():
        return prepare_module(case, seed=0)(*inputs.args, **inputs.kwargs)


def test_a_model_type_with_fields_of_its_config() -> None:
    case = load("llama", **TINY, batch_size=2, sequence_length=7)
    tokens = draw_inputs(case, seed=0).kwargs["input_ids"]
    assert (tokens.shape, tokens.dtype) == ((2, 7), torch.int64)
    assert 0 <= tokens.min() < tokens.max() < 60
    output = run(case)
    assert output.logits.shape == (2, 7, 60)
    assert list(output) == ["logits"]
    assert case.module_class() is LlamaForCausalLM
    (config,) = case.init_args
    assert (config.num_hidden_layers, config.hidden_size) == (2, 32)


def test_it_is_what_transformers_makes_from_the_seed() -> None:
    torch.manual_seed(3)
    expected = LlamaForCausalLM(LlamaConfig(**TINY)).state_dict()
    found = build_module(load("llama", **TINY), seed=3).state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_huge_model_is_named_at_no_cost() -> None:
    huge = load("llama", num_hidden_layers=126, hidden_size=16_384, intermediate_size=53_248, num_attention_heads=128)
    assert huge.init_args[0].num_hidden_layers == 126
    assert draw_inputs(huge, seed=0).kwargs["input_ids"].shape == (1, 128)


def test_the_cache_comes_back_when_asked_for() -> None:
    assert "past_key_values" in run(load("llama", **TINY, use_cache=True))


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_config_file_with_overrides(project: Path, as_folder: bool) -> None:
    values = Qwen3Config(**{**TINY, "num_hidden_layers": 5, "head_dim": 8}).to_dict()
    assert len(values["layer_types"]) == 5
    (project / "config.json").write_text(json.dumps(values))
    case = load("./" if as_folder else "config.json", num_hidden_layers=3, sequence_length=4)
    (config,) = case.init_args
    assert (config.num_hidden_layers, len(config.layer_types), config.head_dim) == (3, 3, 8)
    assert run(case).logits.shape == (1, 4, 60)


def test_fields_by_their_common_name() -> None:
    (config,) = load("gpt2", num_hidden_layers=3, n_embd=24).init_args
    assert (config.n_layer, config.n_embd) == (3, 24)


def test_fields_of_the_text_part() -> None:
    (config,) = load("gemma3", num_hidden_layers=3).init_args
    assert config.text_config.num_hidden_layers == 3


def test_types_without_a_causal_model_are_fed_what_they_take() -> None:
    small = {"num_hidden_layers": 1, "hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2}
    assert run(load("vit", **small, image_size=32)).last_hidden_state.shape == (1, 5, 32)
    t5 = load("t5", num_layers=1, d_model=16, d_kv=8, num_heads=2, d_ff=16, vocab_size=40, sequence_length=5)
    assert run(t5).last_hidden_state.shape == (1, 5, 16)
    conv = {"conv_dim": [16, 16], "conv_stride": [5, 2], "conv_kernel": [10, 3]}
    wav2vec2 = load("wav2vec2", **small, **conv, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2)
    assert run(wav2vec2).last_hidden_state.shape[-1] == 32
    assert set(draw_inputs(load("clip"), seed=0).kwargs) == {"input_ids", "pixel_values"}
    spectrogram = draw_inputs(load("audio-spectrogram-transformer"), seed=0).kwargs["input_values"]
    assert spectrogram.shape == (1, 1024, 128)
    assert draw_inputs(load("resnet", image_size=64), seed=0).kwargs["pixel_values"].shape == (1, 3, 64, 64)


def test_what_cannot_be_fed_says_what_to_do() -> None:
    with pytest.raises(UserError, match=r"cannot draw 'input_values' for EncodecModel; write a script"):
        load("encodec")


@pytest.mark.parametrize(
    ("reference", "constants", "message"),
    [
        ("lama", {}, "no transformers model type named 'lama'; did you mean 'llama'"),
        ("llama", {"num_hiden_layers": 2}, "named 'num_hiden_layers'; did you mean 'num_hidden_layers'"),
        ("llama", {"sequence_length": 0}, r"'case_options\.constants\.sequence_length' cannot be 0"),
        ("llama", {"hidden_size": -64}, "'hidden_size' of this config of 'llama' cannot be -64; it is a size"),
        ("llama", {"num_key_value_heads": 3}, "cannot be 3; it does not divide the 32 attention heads"),
        ("llama", {"hidden_size": "wide"}, "transformers refuses this config of 'llama'"),
        ("meta-llama/Llama-3", {}, r"cannot read meta-llama/Llama-3; .*the hub is not asked"),
        ("broken.json", {}, r"broken\.json is not JSON"),
        ("other.json", {}, r"other\.json is no config of transformers; it has no model_type"),
    ],
)
def test_what_is_wrong_is_one_line(project: Path, reference: str, constants: dict[str, Any], message: str) -> None:
    (project / "broken.json").write_text("{")
    (project / "other.json").write_text("[]")
    with pytest.raises(UserError, match=message) as caught:
        load(reference, **constants)
    assert "\n" not in str(caught.value)


def test_a_config_names_its_class(project: Path) -> None:
    """As those that come with weights do; a class that transformers does not have is passed over."""
    values = {**LlamaConfig(**TINY).to_dict(), "architectures": ["LlamaForTokenClassification"]}
    (project / "config.json").write_text(json.dumps(values))
    assert load("config.json").module_class().__name__ == "LlamaForTokenClassification"
    (project / "config.json").write_text(json.dumps({**values, "architectures": ["OwnLlamaForCausalLM"]}))
    assert load("config.json").module_class().__name__ == "LlamaForCausalLM"


def test_a_type_for_one_task_is_built_for_it() -> None:
    assert load("upernet").module_class().__name__ == "UperNetForSemanticSegmentation"


def test_content_follows_the_config() -> None:
    assert load("llama", **TINY).content == load("llama", **TINY).content
    assert load("llama", **TINY).content != load("llama", **{**TINY, "rms_norm_eps": 1e-3}).content
