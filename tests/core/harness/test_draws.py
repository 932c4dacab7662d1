"""Tests of weights and inputs by their numbers."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.cases import Case, Inputs
from netwright.harness.draws import Feed, all_tensors, draw_call, draw_module, vary
from netwright.harness.protocol import Draw


@pytest.fixture
def case(model_case: Callable[..., Case]) -> Case:
    return model_case("Perceptron")


def only(inputs: Inputs) -> torch.Tensor:
    (tensor,) = all_tensors(inputs)
    return tensor


@settings(deadline=None)
@given(st.integers(1, 2**31), st.integers(1, 10_000))
def test_undoing_a_variation_leaves_no_trace(nonce: int, size: int) -> None:
    values = torch.arange(float(size))
    inputs = Inputs((values.clone(),))
    vary(inputs, nonce)
    assert size < 3 or not torch.equal(only(inputs), values)
    vary(inputs, nonce, undo=True)
    assert torch.equal(only(inputs), values)


def test_variations_differ_from_each_other() -> None:
    seen = set()
    for nonce in range(1, 101):
        inputs = Inputs((torch.arange(100.0),))
        vary(inputs, nonce)
        seen.add(tuple(only(inputs).tolist()))
    assert len(seen) > 70


def test_a_variation_reaches_every_part_of_a_large_tensor() -> None:
    inputs = Inputs((torch.rand(1 << 20) + 1,))
    before = only(inputs).clone()
    vary(inputs, 3)
    changed = (only(inputs) != before).view(64, -1)
    assert bool(changed.any(dim=1).all())
    assert int(changed.sum()) <= 1 << 16


def test_another_batch_size_is_another_size_of_the_common_first_dimension(case: Case) -> None:
    base = only(draw_call(case, Draw()))
    assert torch.equal(only(draw_call(case, Draw(resized=True))), base[:5])
    assert only(draw_call(case, Draw(resized=True, strided=True))).shape == (5, 16)


def test_equal_numbers_give_equal_draws_and_other_numbers_others(case: Case) -> None:
    base = only(draw_call(case, Draw()))
    assert torch.equal(base, only(draw_call(case, Draw())))
    for other in (Draw(seed=1), Draw(distribution="uniform"), Draw(nonce=5), Draw(special="nan")):
        assert not torch.equal(base, only(draw_call(case, other)))
    assert torch.equal(base, only(draw_call(case, Draw(strided=True))))


def test_strided_inputs_have_gaps(case: Case) -> None:
    assert only(draw_call(case, Draw(strided=True))).stride() == (32, 2)


@pytest.mark.parametrize(("special", "expected"), [("nan", torch.isnan), ("inf", torch.isinf)])
def test_one_element_is_special(case: Case, special: str, expected: object) -> None:
    values = only(draw_call(case, Draw.model_validate({"special": special})))
    assert callable(expected)
    assert int(expected(values).sum()) == 1
    assert int(values.isfinite().sum()) == values.numel() - 1


def test_initial_weights_are_those_of_the_seed(case: Case) -> None:
    state = draw_module(case, Draw()).state_dict()
    again = draw_module(case, Draw()).state_dict()
    other = draw_module(case, Draw(weight_seed=1)).state_dict()
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert not torch.equal(state["hidden.weight"], other["hidden.weight"])


def test_perturbed_weights_leave_nothing_trivial(case: Case) -> None:
    plain = draw_module(case, Draw()).state_dict()
    noisy = draw_module(case, Draw(perturbed=True)).state_dict()
    for name in ("hidden.weight", "hidden.bias", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"):
        assert bool((plain[name] != noisy[name]).all()), name
    assert bool((noisy["norm.running_var"] > 0).all())
    assert torch.equal(noisy["norm.weight"], draw_module(case, Draw(perturbed=True)).state_dict()["norm.weight"])


def test_perturbed_buffers_keep_what_may_be_a_mask(model_case: Callable[..., Case]) -> None:
    plain, noisy = (
        dict(draw_module(model_case("Buffered"), Draw(perturbed=each)).named_buffers()) for each in (False, True)
    )
    changed = {name for name in plain if not torch.equal(plain[name], noisy[name])}
    assert changed == {"scale"}
    assert float(noisy["scale"]) > 0


def test_a_feed_keeps_its_buffers_and_changes_their_contents(case: Case) -> None:
    feed = Feed(case)
    address = only(feed.load(Draw())).data_ptr()
    for draw in (Draw(seed=1), Draw(distribution="large")):
        assert only(feed.load(draw)).data_ptr() == address
        assert torch.equal(only(feed.load(draw)), only(draw_call(case, draw)))
    assert only(feed.load(Draw(strided=True))).data_ptr() != address


@pytest.mark.parametrize("name", ["Perceptron", "Embedding"])
def test_a_feed_varies_as_the_draw_of_that_nonce(model_case: Callable[..., Case], name: str) -> None:
    case = model_case(name)
    feed = Feed(case)
    feed.load(Draw(seed=2))
    for nonce in (7, 8, 0, 7):
        varied = only(feed.vary(nonce))
        assert torch.equal(varied, only(draw_call(case, Draw(seed=2, nonce=nonce))))


def test_a_feed_notices_that_a_call_wrote_into_its_buffers(case: Case) -> None:
    feed = Feed(case)
    only(feed.load(Draw())).zero_()
    assert torch.equal(only(feed.vary(3)), only(draw_call(case, Draw(nonce=3))))
