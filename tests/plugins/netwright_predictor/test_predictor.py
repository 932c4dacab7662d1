"""Whole predictions: what they add up to, how they grow, and that they hold against measurements."""

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig

from netwright.errors import UserError
from netwright_predictor import predict
from netwright_predictor.deployment import Deployment, Kernel
from netwright_predictor.prediction import Module, Prediction
from netwright_predictor.predictor import Predictor
from netwright_predictor.subject import read_subject
from netwright_predictor.totals.conventions import Convention
from netwright_predictor.totals.hardware import find_hardware
from netwright_predictor.totals.parallel import Parallel
from netwright_predictor.tracing.sizes import Phase, Sizes

LAYERS, HIDDEN, INNER, HEADS, KV_WIDTH, VOCABULARY = 4, 64, 160, 4, 32, 512
LENGTHS = st.integers(1, 10**6)


def make_config() -> LlamaConfig:
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        dtype="bfloat16",
    )


@cache
def make_predictor(
    phase: Phase = "prefill",
    kernel: Kernel = "sdpa",
    *,
    checkpointing: bool = False,
    attention: str = "full",
    parallel: Parallel | None = None,
    head: str = "all",
) -> Predictor:
    convention = Convention.model_validate({"attention": attention, "head": head})
    deployment = Deployment(
        phase=phase, kernel=kernel, checkpointing=checkpointing, convention=convention, parallel=parallel or Parallel()
    )
    return Predictor(read_subject(make_config()), deployment)


def predicted(phase: Phase = "prefill", batch: int = 1, sequence: int | None = None) -> Prediction:
    predictor = make_predictor(phase)
    return predictor.predict(predictor.sizes(batch, sequence))


def forward(predictor: Predictor, sizes: Sizes) -> int:
    return predictor.predict(sizes).flops.forward


def llama_flops(batch: int, tokens: int) -> int:
    """Two per weight and token; in attention, two per pair for scores and two for values, in every head."""
    layer = 2 * HIDDEN * HIDDEN + 2 * HIDDEN * KV_WIDTH + 3 * HIDDEN * INNER
    products = 2 * (LAYERS * layer + HIDDEN * VOCABULARY)
    return batch * tokens * products + batch * LAYERS * 4 * tokens * tokens * HIDDEN


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 64), LENGTHS)
def test_flops_are_those_of_the_formula(batch: int, tokens: int) -> None:
    assert forward(make_predictor(), Sizes(batch=batch, sequence=tokens)) == llama_flops(batch, tokens)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 1000), LENGTHS)
def test_flops_are_linear_in_the_batch(batch: int, tokens: int) -> None:
    predictor = make_predictor()
    one = forward(predictor, Sizes(sequence=tokens))
    assert forward(predictor, Sizes(batch=batch, sequence=tokens)) == batch * one


@settings(max_examples=20, deadline=None)
@given(LENGTHS)
def test_causal_attention_leaves_out_the_strict_upper_triangle(tokens: int) -> None:
    at = Sizes(sequence=tokens)
    upper = LAYERS * 4 * HIDDEN * (tokens * (tokens - 1) // 2)
    assert forward(make_predictor(attention="causal"), at) + upper == forward(make_predictor(), at)


def test_only_the_last_position_may_go_through_the_head() -> None:
    at = Sizes(batch=3, sequence=100)
    spared = 2 * 3 * 99 * HIDDEN * VOCABULARY
    assert forward(make_predictor(head="last"), at) + spared == forward(make_predictor(), at)


def test_decoding_token_by_token_adds_up_to_causal_prefill() -> None:
    decoder = make_predictor("decode")
    steps = sum(forward(decoder, Sizes(sequence=1, context=context)) for context in range(1, 20))
    first = forward(make_predictor(attention="causal"), Sizes(sequence=1))
    assert first + steps == forward(make_predictor(attention="causal"), Sizes(sequence=20))


def test_a_backward_pass_computes_twice_as_much() -> None:
    found = predicted("train", 2, 32).flops
    assert found.backward == 2 * found.forward == 2 * llama_flops(2, 32)
    assert found.per_token == 3 * llama_flops(2, 32) / 64


def test_inference_has_no_backward_pass() -> None:
    assert predicted().flops.backward == 0


def test_checkpointing_computes_the_layers_again() -> None:
    predictor = make_predictor("train", checkpointing=True)
    found = predictor.predict(predictor.sizes(2, 32)).flops
    assert found.recomputation == llama_flops(2, 32) - 2 * 2 * 32 * HIDDEN * VOCABULARY  # all but the head


def test_the_tree_adds_up() -> None:
    found = predicted(batch=2, sequence=50)

    def own(module: Module) -> int:
        return module.own_flops + sum(child.repeat * own(child) for child in module.children)

    assert own(found.tree) == found.tree.flops == found.flops.forward
    assert found.tree.parameters == found.parameters.total
    assert found.tree.weights_bytes == found.memory.weights_bytes == 2 * found.parameters.total


def test_layers_that_are_alike_are_one_branch() -> None:
    model = next(child for child in predicted().tree.children if child.name == "model")
    layers = next(child for child in model.children if child.name == "layers")
    assert [(child.name, child.repeat) for child in layers.children] == [("0-3", LAYERS)]


def test_by_default_a_prompt_is_as_long_as_the_model_was_made_for() -> None:
    assert predicted().sizes == Sizes(batch=1, sequence=4096)
    assert predicted("decode").sizes == Sizes(batch=1, sequence=1, context=4095)


def measured_memory(kernel: Kernel, batch: int, tokens: int, *, checkpointing: bool) -> int:
    """The most bytes in two steps of forward, loss, backward and AdamW, as torch's MemTracker counts them."""
    with FakeTensorMode():
        model = LlamaForCausalLM._from_config(make_config(), attn_implementation=kernel).train()
        if checkpointing:
            model.gradient_checkpointing_enable()
        optimizer = torch.optim.AdamW(model.parameters(), foreach=True)
        tracker = MemTracker()
        tracker.track_external(model, optimizer)
        with tracker:
            ids = torch.zeros(batch, tokens, dtype=torch.long)
            for _ in range(2):
                model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                tracker.reset_mod_stats()
        return sum(each["Total"] for each in tracker.get_tracker_snapshot("peak").values())


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_training_memory_is_what_torch_measures(kernel: Kernel, *, checkpointing: bool) -> None:
    predictor = make_predictor("train", kernel, checkpointing=checkpointing)
    for batch, tokens in ((3, 256), (2, 1000)):
        found = predictor.memory(Sizes(batch=batch, sequence=tokens))
        assert found.peak == "backward"
        assert found.total_bytes == measured_memory(kernel, batch, tokens, checkpointing=checkpointing)


def test_a_short_step_is_greatest_in_the_optimizer() -> None:
    """Weights, gradients, two moments and one temporary of bfloat16 each, and a step counter per parameter."""
    found = predicted("train", 1, 4)
    assert found.memory.peak == "optimizer step"
    total, tensors = found.parameters.total, 9 * LAYERS + 3
    buffers = 2 * 8 * 4  # the inverse frequencies and their originals: half of a head, in float32
    assert found.memory.total_bytes == 5 * 2 * total + 4 * tensors + buffers


def test_checkpointing_keeps_less() -> None:
    at = Sizes(batch=2, sequence=512)
    plain, again = (make_predictor("train", checkpointing=each).memory(at) for each in (False, True))
    assert again.activations_bytes < plain.activations_bytes / 2


def test_blocks_of_attention_hold_no_scores() -> None:
    """Eager attention's memory grows with the square of the length, the other's does not."""
    growth = {}
    for kernel in ("sdpa", "eager"):
        short, long = (make_predictor("prefill", kernel).memory(Sizes(sequence=length)) for length in (2048, 4096))
        growth[kernel] = long.activations_bytes / short.activations_bytes
    assert growth["sdpa"] == pytest.approx(2, rel=0.01)
    assert growth["eager"] > 3


def test_memory_grows_with_batch_and_length() -> None:
    predictor = make_predictor("prefill")
    totals = [
        predictor.memory(Sizes(batch=batch, sequence=tokens)).total_bytes for batch, tokens in ((1, 8), (2, 8), (2, 64))
    ]
    assert totals == sorted(set(totals))


def test_hardware_tells_whether_it_fits() -> None:
    predictor = make_predictor("train")
    l4 = find_hardware("l4")
    assert predictor.memory(Sizes(sequence=16), hardware=l4).fits
    assert predictor.memory(Sizes(batch=4096, sequence=4096), hardware=l4).fits is False


def test_every_phase_is_bounded() -> None:
    predictor = make_predictor()
    found = predictor.predict(predictor.sizes(2, 512), hardware=find_hardware("h100"))
    assert found.latency.prefill is not None
    assert found.latency.decode is not None
    assert found.latency.train is not None
    assert found.latency.prefill.compute_ms == pytest.approx(1e3 * found.flops.forward / 989.4e12)
    assert found.latency.decode.limited_by == "memory"


@pytest.mark.parametrize("phase", ["prefill", "decode", "train"])
def test_a_phase_is_bounded_alike_whichever_was_asked_for(phase: Phase) -> None:
    """Phases share what they know of a model; alone, each finds out the same."""
    hardware = find_hardware("h100")
    sizes = Sizes(batch=2, sequence=1, context=40) if phase == "decode" else Sizes(batch=2, sequence=40)
    alone = getattr(make_predictor(phase).predict(sizes, hardware=hardware).latency, phase)
    beside = make_predictor("prefill").predict(Sizes(batch=2, sequence=40), hardware=hardware).latency
    assert getattr(beside, phase) == alone


def test_parts_that_a_text_alone_does_not_reach_are_named() -> None:
    found = predict("llava", constants={"num_hidden_layers": 2}, sequence_length=16)
    (note,) = [note for note in found.notes if "not called" in note]
    assert "vision_tower" in note
    assert not any("not called" in note for note in make_predictor("prefill").predict(Sizes(sequence=4)).notes)


def test_devices_share_weights_cache_and_arithmetic() -> None:
    whole = make_predictor()
    shared = make_predictor(parallel=Parallel(tensor=2, pipeline=2, data=2))
    at = Sizes(batch=4, sequence=64)
    alone, among = whole.predict(at), shared.predict(at)
    assert among.device.devices == 8
    assert among.device.flops * 8 == alone.device.flops == alone.flops.forward
    assert among.memory.kv_cache_bytes * 8 == alone.memory.kv_cache_bytes
    assert among.flops == alone.flops
    assert among.memory.weights_bytes > alone.memory.weights_bytes / 4  # norms are on every device along tensor
    assert among.memory.weights_bytes < alone.memory.weights_bytes / 4 + 4 * VOCABULARY * HIDDEN
    assert set(among.device.sent_bytes) == {"tensor", "pipeline"}


@pytest.mark.slow
def test_experts_that_no_token_needs_are_not_read() -> None:
    config = MixtralConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_local_experts=8,
        max_position_embeddings=64,
        dtype="bfloat16",
    )
    predictor = Predictor(read_subject(config), Deployment(phase="decode"))
    h100 = find_hardware("h100")
    found = [predictor.predict(predictor.sizes(batch), hardware=h100).latency.decode for batch in (1, 4, 8)]
    one, four, eight = (bound.memory_ms if bound is not None else 0.0 for bound in found)
    per_sequence = 1e3 * predictor.kv_cache(predictor.sizes(1)).bytes / 3.35e12
    assert four > one + 4 * per_sequence  # 2 experts per token: 4 tokens need all 8
    assert eight == pytest.approx(four + 4 * per_sequence)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch": 0}, "'sizes.batch' cannot be 0"),
        ({"sequence": -5}, "'sizes.sequence' cannot be -5"),
        ({"context": 7}, "phase 'prefill' has no context"),
    ],
)
def test_wrong_sizes_are_one_clear_line(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_predictor().sizes(**arguments)


def test_degrees_that_do_not_divide_are_one_clear_line() -> None:
    predictor = make_predictor(parallel=Parallel(pipeline=3))
    with pytest.raises(UserError, match=r"parallel\.pipeline=3 does not divide the 4 layers"):
        predictor.predict(predictor.sizes(1, 8))


def test_a_config_that_is_quantized_says_so_until_a_format_is_chosen() -> None:
    config = make_config()
    config.quantization_config = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    (note,) = [note for note in predict(config, sequence_length=8).notes if "quantization" in note]
    assert "fp8" in note
    chosen = predict(config, sequence_length=8, quantization={"weights": "fp8"})
    assert not any("quantization" in note for note in chosen.notes)


def test_a_forward_that_fails_is_the_configs_fault() -> None:
    config = make_config()
    config.num_key_value_heads = 3
    with pytest.raises(UserError, match="a forward of LlamaForCausalLM fails with this config; RuntimeError"):
        predict(config, sequence_length=8)


def test_gradients_are_shared_out_as_they_come() -> None:
    """With ZeRO 2 on 8 devices, a step of one short sequence peaks lower by seven eighths of the gradients, at least
    until the loss is what is greatest.
    """
    sizes = Sizes(batch=8, sequence=8)
    kept, shared = (make_predictor("train", parallel=Parallel(data=8, zero=zero)).memory(sizes) for zero in (1, 2))
    whole = make_predictor("train").memory(Sizes(batch=1, sequence=8)).gradients_bytes
    assert kept.gradients_bytes == whole
    assert shared.gradients_bytes < whole / 7
    saved = kept.total_bytes - shared.total_bytes
    assert 0.7 * whole < saved <= whole
