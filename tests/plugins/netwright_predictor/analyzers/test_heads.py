"""What an attention's attributes and its config say of its heads and its windows."""

from collections.abc import Mapping

import pytest
from torch import nn

from netwright_predictor.analyzers.analyzer import Site
from netwright_predictor.analyzers.heads import head_sizes, is_causal, windows
from netwright_predictor.tracing.flow import Flow


class SomeAttention(nn.Module):
    def __init__(self, **attributes: object) -> None:
        super().__init__()
        vars(self).update(attributes)
        self.q_proj, self.o_proj = nn.Linear(16, 64), nn.Linear(32, 16)


class SomeCrossAttention(SomeAttention):
    pass


def site(module: nn.Module, config: Mapping[str, object]) -> Site:
    return Site("layers.1.self_attn", module, Flow({}, (), ()), config)


@pytest.mark.parametrize(
    ("attributes", "config", "expected"),
    [
        ({}, {}, (0, 0)),
        # Mistral: one window for all layers, known to the config alone.
        ({}, {"sliding_window": 4096}, (4096, 4096)),
        # Gemma 3: layers alternate, and the config says which is which.
        ({"layer_idx": 0}, {"sliding_window": 512, "layer_types": ["sliding_attention", "full_attention"]}, (512, 512)),
        ({"layer_idx": 1}, {"sliding_window": 512, "layer_types": ["sliding_attention", "full_attention"]}, (0, 0)),
        # Llama 4: chunks are kept like windows.
        ({"layer_idx": 0}, {"attention_chunk_size": 8192, "layer_types": ["chunked_attention"]}, (0, 8192)),
        # GPT-Neo: local layers mask, but the cache keeps everything.
        ({"attention_type": "local"}, {"window_size": 256}, (256, 0)),
        ({"attention_type": "global"}, {"window_size": 256}, (0, 0)),
    ],
)
def test_windows(attributes: Mapping[str, object], config: Mapping[str, object], expected: tuple[int, int]) -> None:
    assert windows(site(SomeAttention(**attributes), config)) == expected


def test_heads_of_latent_attention_come_first() -> None:
    module = SomeAttention(qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128)
    assert next(iter(head_sizes(site(module, {})))) == {"head_dim": 192, "value_head_dim": 128}


def test_projections_tell_the_sizes_of_heads_that_nothing_else_does() -> None:
    # 4 heads: queries of 64 / 4 = 16, or half of that beside a gate; values of 32 / 4 = 8.
    guesses = list(head_sizes(site(SomeAttention(num_heads=4), {})))
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "value_head_dim": 8}
    assert {**heads, "head_dim": 16} in guesses
    assert {**heads, "head_dim": 8} in guesses


def test_who_is_causal() -> None:
    assert is_causal(site(SomeAttention(), {}))
    assert not is_causal(site(SomeAttention(is_causal=False), {}))
    assert not is_causal(site(SomeCrossAttention(), {}))
