"""The check: it agrees with what is right, finds the module that is wrong, and says what it could not count."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from transformers import GPT2Config

from netwright_predictor.analysis import ModuleCost
from netwright_predictor.check import check_prediction, count_flops, derived_share
from netwright_predictor.deployment import Deployment
from netwright_predictor.predictor import Predictor
from netwright_predictor.subject import read_subject
from netwright_predictor.tracing.fake import faked
from netwright_predictor.tracing.sizes import Phase, Sizes

SIZES = Sizes(batch=2, sequence=19)
WIDTH, LAYERS, VOCABULARY = 32, 3, 101


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return make_predictor("prefill")


def make_predictor(phase: Phase) -> Predictor:
    config = GPT2Config(n_embd=WIDTH, n_head=4, n_layer=LAYERS, vocab_size=VOCABULARY, n_positions=64)
    return Predictor(read_subject(config), Deployment(phase=phase))


def gpt2_flops(batch: int, length: int) -> int:
    """Per token and layer: 3 + 1 + 4 + 4 products of a square matrix; per pair of tokens QK and AV; then the head."""
    matrices = 2 * batch * length * LAYERS * 12 * WIDTH * WIDTH
    attention = 2 * 2 * batch * LAYERS * length * length * WIDTH
    return matrices + attention + 2 * batch * length * WIDTH * VOCABULARY


def without(costs: Sequence[ModuleCost], path: str) -> list[ModuleCost]:
    return [replace(cost, calls=()) if cost.path == path else cost for cost in costs]


def test_a_right_prediction_is_exact(predictor: Predictor) -> None:
    check = predictor.check(SIZES)
    assert (check.status, check.difference, check.modules_off) == ("exact", 0, {})
    assert check.measured_flops == gpt2_flops(2, 19)
    assert check.sizes == SIZES
    assert check.reason is None


def test_the_module_that_is_wrong_is_named(predictor: Predictor) -> None:
    wrong = "transformer.h.1.mlp.c_fc"
    with faked(predictor.model):
        check = check_prediction(predictor.model, predictor.feed, without(predictor.costs, wrong), SIZES, "prefill")
    missing = -2 * 2 * 19 * WIDTH * 4 * WIDTH
    assert (check.status, check.difference) == ("off", missing)
    assert check.modules_off == {wrong: missing}


def test_errors_that_cancel_in_the_total_are_found(predictor: Predictor) -> None:
    first, second = "transformer.h.0.mlp.c_fc", "transformer.h.0.mlp.c_proj"
    by_path = {cost.path: cost for cost in predictor.costs}
    doubled = replace(by_path[first], calls=by_path[first].calls * 2)
    costs = [doubled if cost.path == first else cost for cost in without(predictor.costs, second)]
    with faked(predictor.model):
        check = check_prediction(predictor.model, predictor.feed, costs, SIZES, "prefill")
    assert (check.status, check.difference) == ("off", 0)
    assert set(check.modules_off) == {first, second}


def test_training_counts_the_backward_pass_too() -> None:
    check = make_predictor("train").check(SIZES)
    assert check.status == "exact"
    assert check.measured_flops == 3 * gpt2_flops(2, 19)


def test_decoding_counts_the_new_tokens_only() -> None:
    check = make_predictor("decode").check(Sizes(batch=2, sequence=1, context=30))
    assert check.status == "exact"
    per_token = 2 * LAYERS * 12 * WIDTH * WIDTH + 2 * WIDTH * VOCABULARY
    assert check.measured_flops == 2 * (per_token + 4 * LAYERS * 31 * WIDTH)


def test_a_count_that_takes_too_long_is_made_at_smaller_sizes(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, *([2.0] * 5), *([0.5] * 10_000)])
    monkeypatch.setattr("time.perf_counter", lambda: next(times, 0.5))
    check = predictor.check(Sizes(batch=4, sequence=50), seconds=1.0)
    assert check.status == "exact"
    assert check.sizes == Sizes(batch=2, sequence=24)
    assert check.reason == "a count at batch 4, length 50 takes more than 1 s"
    assert check.measured_flops == gpt2_flops(2, 24)


def test_layers_that_are_alike_run_once_where_time_is_short(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_late(clock: list[float]) -> float:
        """Every first look sets a deadline; the second one is past it, for the first two attempts."""
        clock[0] += 2.0 if clock[1] < 4 else 0.0
        clock[1] += 1
        return clock[0]

    clock = [0.0, 0]
    monkeypatch.setattr("time.perf_counter", lambda: is_late(clock))
    check = predictor.check(Sizes(batch=4, sequence=50), seconds=1.0)
    assert (check.status, check.difference, check.modules_off) == ("exact", 0, {})
    assert check.measured_flops == gpt2_flops(2, 24)
    assert check.reason is not None
    assert check.reason.endswith("takes more than 1 s; layers that are alike ran once")


def test_a_count_that_always_takes_too_long_is_not_measured(predictor: Predictor) -> None:
    check = predictor.check(Sizes(batch=4, sequence=50), seconds=1e-9)
    assert (check.status, check.measured_flops) == ("not_measured", None)
    assert check.reason == "a count at batch 2, length 24 takes more than 1e-09 s"


def test_a_model_that_fails_is_not_measured(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no\nluck")

    monkeypatch.setattr(predictor.feed, "inputs", fail)
    check = predictor.check(SIZES)
    assert (check.status, check.reason) == ("not_measured", "RuntimeError: no luck")


class Shared(nn.Module):
    """One linear layer in two places, an operator without a formula, and a product of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4, bias=False)
        self.second = self.first

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x)) @ torch.ones(4, 3)
        return torch.cdist(y, y)


class ToShared:
    """Feeds it."""

    varying = ("B", "S")

    def inputs(self, model: nn.Module, sizes: Sizes, phase: Phase) -> dict[str, Tensor]:
        del model, phase
        return {"x": torch.ones(sizes.batch, sizes.sequence, 4)}


@pytest.fixture
def shared() -> Iterator[nn.Module]:
    with torch.device("meta"):
        model = Shared()
    with faked(model):
        yield model


def test_own_flops_leave_out_children_and_shared_modules_count_at_every_call(shared: nn.Module) -> None:
    count = count_flops(shared, ToShared(), Sizes(batch=2, sequence=5), "prefill")  # type: ignore[arg-type]
    assert dict(count.own) == {"first": 2 * (2 * 10 * 4 * 4), "": 2 * 10 * 4 * 3}
    assert count.forward == 2 * (2 * 10 * 4 * 4) + 2 * 10 * 4 * 3


def test_what_multiplies_without_a_formula_is_named(shared: nn.Module) -> None:
    count = count_flops(shared, ToShared(), Sizes(batch=2, sequence=5), "prefill")  # type: ignore[arg-type]
    assert [name.rpartition(".")[2] for name in count.uncounted] == ["_cdist_forward"]


def test_the_share_of_derived_formulas(predictor: Predictor) -> None:
    derived = [
        replace(cost, calls=tuple(replace(call, known="derived") for call in cost.calls))
        if cost.path == "lm_head"
        else cost
        for cost in predictor.costs
    ]
    expected = 2 * 2 * 19 * WIDTH * VOCABULARY / gpt2_flops(2, 19)
    assert derived_share(derived, SIZES) == pytest.approx(expected)
    assert derived_share(predictor.costs, SIZES) == 0
    assert derived_share([], SIZES) == 0
