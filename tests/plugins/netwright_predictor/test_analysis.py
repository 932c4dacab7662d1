"""The analysis of real architectures against torch's own counter, module by module, at sizes that it did not see."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from _pytest.mark import ParameterSet
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netwright_predictor.analysis import ModuleCost, analyze
from netwright_predictor.analyzers.attention import AttentionAnalyzer
from netwright_predictor.subject import read_subject
from netwright_predictor.tracing.fake import faked
from netwright_predictor.tracing.feed import Feed
from netwright_predictor.tracing.flow import read_flows
from netwright_predictor.tracing.sizes import Phase, Sizes
from netwright_predictor.tracing.trace import trace

SEEN = ((2, 7, 17), (3, 11, 23), (5, 13, 31))
AT = Sizes(batch=2, sequence=37)
SHORT: Mapping[str, object] = {"num_hidden_layers": 2}
ARCHITECTURES: Mapping[str, Mapping[str, object]] = {
    "arcee": SHORT,
    "bart": {"decoder_layers": 2, "encoder_layers": 2},
    "bert": SHORT,
    "bitnet": SHORT,
    "bloom": {"n_layer": 2},
    "codegen": {"n_layer": 2},
    "cohere": SHORT,
    "cohere2": SHORT,
    "deepseek_v3": {"num_hidden_layers": 2, "first_k_dense_replace": 1},
    "deepseek_v32": {"num_hidden_layers": 2, "first_k_dense_replace": 1},
    "diffllama": SHORT,
    "ernie4_5": SHORT,
    "exaone4": SHORT,
    "falcon": SHORT,
    "gemma": SHORT,
    "gemma2": SHORT,
    "gemma3_text": SHORT,
    "glm4": SHORT,
    "gpt2": {"n_layer": 2},
    "gpt_bigcode": {"n_layer": 2},
    "gpt_neo": {"num_layers": 2, "attention_types": [[["global", "local"], 1]]},
    "gpt_neox": SHORT,
    "gpt_oss": SHORT,
    "gptj": {"n_layer": 2},
    "granitemoe": SHORT,
    "helium": SHORT,
    "llama": SHORT,
    "llama4_text": SHORT,
    "mistral": SHORT,
    "mixtral": SHORT,
    "mpt": {"n_layers": 2},
    "olmo2": SHORT,
    "opt": SHORT,
    "persimmon": SHORT,
    "phi": SHORT,
    "phi3": SHORT,
    "qwen2_moe": SHORT,
    "qwen3": SHORT,
    "qwen3_moe": SHORT,
    "smollm3": SHORT,
    "stablelm": SHORT,
    "starcoder2": SHORT,
}


@dataclass(frozen=True)
class Analyzed:
    """A model's costs, and what torch counted, if it was asked to: whole modules with their children, by path."""

    costs: list[ModuleCost]
    counted: Mapping[str, int]

    def predicted(self, sizes: Sizes = AT) -> Counter[str]:
        """FLOPs of each module with its children."""
        whole: Counter[str] = Counter()
        for cost in self.costs:
            flops = cost.flops(sizes.variables)
            whole[""] += flops
            parts = cost.path.split(".")
            for length in range(1, len(parts) + 1):
                whole[".".join(parts[:length])] += flops
        return whole


def analyzed(
    name: str, constants: Mapping[str, object], phase: Phase = "prefill", counted_at: Sizes | None = None
) -> Analyzed:
    subject = read_subject(name, constants)
    model = subject.build("bfloat16", "eager")
    feed = Feed(subject.model_class, subject.config)
    new = 1 if phase == "decode" else None
    seen = [
        Sizes(batch=batch, sequence=new or length, context=context if phase == "decode" else 0)
        for batch, length, context in SEEN
    ]
    with faked(model):
        flows = read_flows([trace(model, feed, sizes, phase) for sizes in seen])
        costs = analyze(model, flows, dtype_bytes=2)
        counted = count(model, feed, phase, counted_at) if counted_at is not None else {}
    return Analyzed(costs, counted)


def count(model: nn.Module, feed: Feed, phase: Phase, sizes: Sizes) -> Mapping[str, int]:
    """What torch's counter counts of each module with its children, every layer for itself."""
    arguments = feed.inputs(model, sizes, phase)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(**arguments)
    root = f"{type(model).__name__}."
    counts = {path.removeprefix(root): sum(each.values()) for path, each in counter.get_flop_counts().items()}
    return {**counts, "": counter.get_total_flops()}


LONG_WINDED = frozenset(
    {
        "bart",
        "bert",
        "bitnet",
        "codegen",
        "cohere",
        "deepseek_v32",
        "diffllama",
        "exaone4",
        "gemma",
        "helium",
        "llama4_text",
        "olmo2",
        "persimmon",
        "smollm3",
    }
)
"""Those left to slow runs, for others are much like them."""


def spread() -> list[ParameterSet]:
    marks = {name: [pytest.mark.slow] if name in LONG_WINDED else [] for name in ARCHITECTURES}
    return [pytest.param(name, marks=marks[name]) for name in ARCHITECTURES]


@pytest.mark.parametrize("name", spread())
def test_formulas_give_what_torch_counts_module_by_module(name: str) -> None:
    found = analyzed(name, ARCHITECTURES[name], counted_at=AT)
    predicted = found.predicted()
    assert found.counted[""] > 0
    paths = {cost.path for cost in found.costs}
    assert {path: predicted[path] for path in found.counted if path in paths} == {
        path: flops for path, flops in found.counted.items() if path in paths
    }
    derived = sum(call.flops(AT.variables) for cost in found.costs for call in cost.calls if call.known != "formula")
    assert derived <= 0.05 * found.counted[""]


@pytest.mark.parametrize(
    "name",
    [
        "gpt2",
        "llama",
        pytest.param("deepseek_v3", marks=pytest.mark.slow),
        pytest.param("gpt_oss", marks=pytest.mark.slow),
    ],
)
def test_formulas_give_what_torch_counts_while_decoding(name: str) -> None:
    at = Sizes(batch=2, sequence=1, context=150)
    found = analyzed(name, ARCHITECTURES[name], "decode", at)
    assert found.predicted(at)[""] == found.counted[""]


def test_layers_add_up() -> None:
    two, four = (analyzed("llama", {"num_hidden_layers": layers}).predicted() for layers in (2, 4))
    assert two["model.layers.0"] == two["model.layers.1"] == four["model.layers.3"]
    assert four[""] - two[""] == 2 * two["model.layers.0"]


def test_a_sliding_cache_is_cropped_where_no_trace_reached() -> None:
    # gpt-oss has windows of 128 in every other layer. One token after 1000 meets 1001 keys in a layer that sees all,
    # and 127 cached ones and itself in a sliding one. 64 heads of 64, 2 FLOPs for scores and 2 for values: 16 384.
    found = analyzed("gpt_oss", SHORT, "decode")
    sizes = Sizes(batch=1, sequence=1, context=1000).variables
    own = [cost.flops(sizes) for cost in found.costs if cost.path.endswith("self_attn")]
    assert sorted(own) == [128 * 16_384, 1001 * 16_384]


def test_windows_and_masks_reach_the_analyzers() -> None:
    found = analyzed("gemma3_text", {"num_hidden_layers": 6, "sliding_window": 16})
    attentions = [call for cost in found.costs for call in cost.calls if isinstance(call.analyzer, AttentionAnalyzer)]
    windows = [call.at(AT.variables)["window"] for call in attentions]
    assert windows == [16, 16, 16, 16, 16, 0]  # five local layers for each global one
    assert all(call.at(AT.variables)["is_causal"] == 1 for call in attentions)


def test_every_populated_value_says_where_it_comes_from() -> None:
    found = analyzed("llama", SHORT)
    attention = next(cost.calls[0] for cost in found.costs if cost.path == "model.layers.1.self_attn")
    assert attention.provenance["num_attention_heads"].rule in {"instance", "config"}
    assert attention.provenance["head_dim"].value == 128


def test_a_million_tokens_are_one_evaluation() -> None:
    found = analyzed("llama", SHORT)
    # Scores and values of 32 heads of 128 over 10**12 pairs: 4 * 4096 * 10**12 per layer.
    at = Sizes(batch=1, sequence=1_000_000).variables
    own = [cost.flops(at) for cost in found.costs if cost.path.endswith("self_attn")]
    assert own == [4 * 4096 * 10**12] * 2
