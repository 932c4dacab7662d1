"""Attention of transformers: heads or their dimensions go, the rest computes the same and reloads to the same bits."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from netwright.cases.load import load_case
from netwright.cases.module import draw_inputs, prepare_module
from netwright_pruning import Budget, load_method, load_pruned, prune_to_budget, save_pruned
from netwright_pruning.allocation import Allocation
from netwright_pruning.groups import call
from netwright_pruning.heads import Heads

pytestmark = pytest.mark.slow

LAYERS: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 96, "vocab_size": 100}

MODELS: dict[str, dict[str, Any]] = {
    "bert": {**LAYERS, "num_attention_heads": 4},
    "vit": {**LAYERS, "num_attention_heads": 4, "image_size": 32, "patch_size": 8},
    "llama": {**LAYERS, "num_attention_heads": 8, "num_key_value_heads": 4},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 100, "bos_token_id": 0, "eos_token_id": 0},
}


@pytest.mark.parametrize(
    ("model_type", "heads"),
    [("bert", "whole"), ("bert", "dims"), ("vit", "whole"), ("llama", "whole"), ("gpt2", "whole"), ("gpt2", "dims")],
)
def test_heads_go_and_the_rest_reloads(model_type: str, heads: Heads, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_type": model_type, **MODELS[model_type]}))
    case = load_case(f"hf:{config}")
    model, inputs = prepare_module(case, seed=0).eval(), draw_inputs(case, seed=0)
    pruning = prune_to_budget(
        model,
        inputs,
        Budget("macs", 0.7),
        load_method("magnitude_l2"),
        seed=0,
        round_to=1,
        tolerance=0.05,
        heads=heads,
        allocation=Allocation(shares={"*attn*": 3, "*attention*": 3}),
    )
    assert pruning.equality.verdict == "equal"
    assert not pruning.faults
    cut = [name for name in pruning.widths if "att" in name]
    assert len(cut) == 2
    for name in cut:
        before, after = pruning.widths[name]
        assert 0 < after < before
    save_pruned(pruning.model, tmp_path / "model", case=case.name)
    with torch.no_grad():
        found, expected = call(load_pruned(tmp_path / "model"), inputs), call(pruning.model, inputs)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
