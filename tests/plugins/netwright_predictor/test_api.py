"""`predict`: what it takes, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, LlamaConfig

from netwright.cases import CaseOptions, load_case
from netwright.errors import UserError
from netwright_predictor import predict

TINY: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
}


def test_a_config_a_file_a_folder_a_type_and_a_case_are_the_same(tmp_path: Path) -> None:
    config = LlamaConfig(**TINY)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config.to_dict()))
    case = load_case("hf:llama", CaseOptions(constants=TINY))
    models: list[tuple[object, dict[str, Any]]] = [(config, {}), (file, {}), (str(tmp_path), {}), (case, {})]
    models += [("llama", {"constants": TINY}), ("hf:llama", {"constants": TINY})]
    found = {predict(model, **settings).flops.forward for model, settings in models}
    assert len(found) == 1


def test_a_window_may_be_counted() -> None:
    config = {**TINY, "sliding_window": 16, "num_key_value_heads": 2}
    full, causal, window = (
        predict("mistral", constants=config, attention=kind).flops.forward for kind in ("full", "causal", "window")
    )
    assert full > causal > window
    pairs = {"causal": 128 * 129 // 2, "window": 16 * 17 // 2 + (128 - 16) * 16}
    assert causal - window == 2 * 4 * 32 * (pairs["causal"] - pairs["window"])  # layers, products, width


def test_multiply_accumulates_are_half_as_many() -> None:
    flops, macs = (predict("llama", constants=TINY, unit=unit).flops.forward for unit in ("FLOP", "MAC"))
    assert flops == 2 * macs


def test_all_operations_are_more() -> None:
    products, everything = (predict("llama", constants=TINY, operations=kind) for kind in ("matmul", "all"))
    assert everything.flops.forward == products.flops.forward + products.flops.other > products.flops.forward


def test_quantized_weights_take_less() -> None:
    plain, quantized = (
        predict("llama", constants=TINY, dtype="bfloat16", quantization=each) for each in (None, {"weights": "int8"})
    )
    matrices = 2 * (4 * 32 * 32 + 3 * 32 * 48)
    rows = 2 * (4 * 32 + 2 * 48 + 32)
    assert plain.memory.weights_bytes - quantized.memory.weights_bytes == matrices - 4 * rows
    assert quantized.parameters == plain.parameters


def test_the_dtype_is_the_config_s_or_float32() -> None:
    assert predict(LlamaConfig(**TINY, dtype="float16")).dtype == "float16"
    found = predict(LlamaConfig(**TINY))
    assert found.dtype == "float32"
    assert "float32" in found.notes[0]


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ("lama", {}, "no transformers model type named 'lama'; did you mean"),
        (3, {}, "cannot predict a int"),
        ("no/such/config.json", {}, "cannot read no/such/config.json"),
        ("llama", {"batch_size": -1}, "'sizes.batch' cannot be -1"),
        ("llama", {"sequence_length": 0}, "'sizes.sequence' cannot be 0"),
        ("llama", {"dtype": "float17"}, "no dtype named 'float17'"),
        ("llama", {"hardware": "h300"}, "no hardware preset named 'h300'"),
        ("llama", {"optimizer": "adamx"}, "no optimizer named 'adamx'"),
        ("llama", {"quantization": {"kv": "int3"}}, "no number format named 'int3'"),
        ("llama", {"quantization": {"kvs": "int8"}}, "unknown key 'quantization.kvs'"),
        ("llama", {"parallel": {"tensor": 0}}, "'parallel.tensor' cannot be 0"),
        ("llama", {"parallel": {"tensor": 3}}, "parallel.tensor=3 does not divide the 4 attention heads"),
        ("llama", {"phase": "serve"}, "'phase' cannot be 'serve'"),
        ("llama", {"context_length": 5}, "phase 'prefill' has no context"),
    ],
)
def test_what_is_wrong_is_one_clear_line(model: object, settings: dict[str, Any], message: str) -> None:
    if model == "llama":
        settings = {**settings, "constants": TINY}
    with pytest.raises(UserError) as caught:
        predict(model, **settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(UserError, match=r"cannot be built|refuses"):
        predict("llama", constants={**TINY, "hidden_size": 33})


def test_an_encoder_does_not_decode() -> None:
    config = BertConfig(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)
    with pytest.raises(UserError, match="has no phase 'decode'; it keeps no cache"):
        predict(config, phase="decode")
