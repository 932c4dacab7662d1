"""Skeletons: whole models without weights."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertModel,
    EncodecConfig,
    EncodecModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTModel,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from netwright.errors import MissingDependencyError, NetwrightError, UserError
from netwright_predictor.structure import build_skeleton

LLAMA_405B = LlamaConfig(
    vocab_size=128256,
    hidden_size=16384,
    intermediate_size=53248,
    num_hidden_layers=126,
    num_attention_heads=128,
    num_key_value_heads=8,
)


def test_a_model_of_405_billion_parameters_takes_no_memory() -> None:
    model = build_skeleton(LlamaForCausalLM, LLAMA_405B)
    # Two tables of 128256 x 16384; per layer q and o of 16384², k and v of 16384 x 1024, three matrices of
    # 16384 x 53248 and two norms of 16384; one norm at the end.
    layer = 2 * 16384**2 + 2 * 16384 * 1024 + 3 * 16384 * 53248 + 2 * 16384
    assert sum(each.numel() for each in model.parameters()) == 2 * 128256 * 16384 + 126 * layer + 16384
    assert all(each.is_meta for each in [*model.parameters(), *model.buffers()])
    assert not model.training


@pytest.mark.parametrize(
    ("model_class", "config"),
    [
        (BertModel, BertConfig()),
        (ViTModel, ViTConfig()),
        (WhisperForConditionalGeneration, WhisperConfig()),
        (T5ForConditionalGeneration, T5Config()),
    ],
    ids=["bert", "vit", "whisper", "t5"],
)
def test_families_that_are_no_causal_language_models(model_class: type[nn.Module], config: Any) -> None:
    model = build_skeleton(model_class, config)
    assert all(each.is_meta for each in [*model.parameters(), *model.buffers()])


def test_tied_weights_stay_one_parameter() -> None:
    model: Any = build_skeleton(GPT2LMHeadModel, GPT2Config(n_layer=1))
    assert model.lm_head.weight is model.transformer.wte.weight


def test_the_config_decides_on_the_dtype_and_stays_as_it_was() -> None:
    config = LlamaConfig(num_hidden_layers=1, dtype="bfloat16")
    before = config.to_dict()
    model = build_skeleton(LlamaForCausalLM, config)
    assert {each.dtype for each in model.parameters()} == {torch.bfloat16}
    assert config.to_dict() == before


def test_whole_numbers_that_a_model_asks_its_buffers_for_are_kept() -> None:
    model: Any = build_skeleton(EncodecModel, EncodecConfig(num_filters=4, hidden_size=16))
    layer = model.encoder.layers[3]
    assert (int(layer.kernel_size), int(layer.stride), int(layer.padding_total)) == (4, 2, 2)
    assert layer.conv.weight.is_meta


def test_the_fitting_part_of_a_composite_config_is_taken() -> None:
    config = LlavaConfig(text_config=LlamaConfig(num_hidden_layers=2, vocab_size=100))
    model: Any = build_skeleton(LlamaForCausalLM, config)
    assert len(model.model.layers) == 2


class NamesItsDevice(nn.Module):
    """Refuses the meta device, and shares a parameter."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        if self.first.weight.is_meta:
            raise RuntimeError("no meta device, please")
        self.second = nn.Linear(width, width)
        self.second.weight = self.first.weight
        self.register_buffer("table", torch.arange(width, device="cpu"))


def test_a_constructor_that_refuses_the_meta_device_runs_under_fake_tensors() -> None:
    model: Any = build_skeleton(NamesItsDevice, 4)
    assert type(model.first.weight) is nn.Parameter
    assert model.first.weight.is_meta
    assert model.second.weight is model.first.weight
    assert type(model.table) is Tensor
    assert (model.table.dtype, model.table.is_meta) == (torch.int64, True)


class ReadsValues(nn.Module):
    """Needs numbers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rate = torch.rand(width).max().item()


def test_a_constructor_that_needs_numbers_fails_with_the_reason() -> None:
    with pytest.raises(NetwrightError, match="ReadsValues cannot be built without weights") as error:
        build_skeleton(ReadsValues, 4)
    assert error.value.exit_code == 1


def test_a_config_that_is_refused_is_the_users_error() -> None:
    with pytest.raises(UserError, match="LlamaForCausalLM cannot be built from this config"):
        build_skeleton(LlamaForCausalLM, LlamaConfig().to_dict())


class NeedsMore(nn.Module):
    """Needs another package."""

    def __init__(self, width: int) -> None:
        raise ImportError(f"NeedsMore requires the natten library, {width} wide")


def test_a_missing_package_is_named() -> None:
    with pytest.raises(MissingDependencyError, match=r"NeedsMore needs a package that is missing.*natten"):
        build_skeleton(NeedsMore, 4)
