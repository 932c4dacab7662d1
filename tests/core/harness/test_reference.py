"""Tests of what the unmodified module does in its own type and in float64."""

from collections.abc import Callable

import pytest
import torch

from netwright.cases import Case
from netwright.harness import EAGER
from netwright.harness.clock import Clock
from netwright.harness.compare import errors
from netwright.harness.draws import all_tensors, draw_call, draw_module
from netwright.harness.protocol import Draw, Expectation
from netwright.harness.reference import Reference
from netwright.harness.subject import Subject

MakeCase = Callable[..., Case]
Tensors = dict[str, torch.Tensor]


def expect(case: Case, draw: Draw, precision: str | None = None) -> tuple[Expectation, Tensors]:
    return Reference(Subject(case, EAGER, Clock(), Draw())).expect(draw, precision)


def test_the_oracle_is_the_module_in_float64(model_case: MakeCase) -> None:
    case = model_case("Perceptron")
    judged, tensors = expect(case, Draw(seed=4))
    (x,) = all_tensors(draw_call(case, Draw(seed=4)))
    with torch.no_grad():
        expected = draw_module(case, Draw()).double()(x.double())
    assert judged.oracle_failure == ""
    assert torch.allclose(tensors["oracle output 0"], expected, rtol=1e-14, atol=1e-15)
    assert 0 < errors(tensors["eager output 0"], expected)[0] < 1e-6


def test_what_training_changes_is_judged_too_and_left_as_it_was(model_case: MakeCase) -> None:
    reference = Reference(Subject(model_case("Perceptron", mode="train"), EAGER, Clock(), Draw()))
    first, second = (reference.expect(Draw(), None)[1] for _ in range(2))
    assert "oracle buffer norm.running_mean" in first
    assert first["oracle buffer norm.num_batches_tracked"].item() == 1
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_random_modules_draw_the_same_numbers_in_float64(model_case: MakeCase) -> None:
    _, tensors = expect(model_case("Dropping", mode="train"), Draw())
    assert errors(tensors["eager output 0"], tensors["oracle output 0"])[0] < 1e-5


def test_the_error_of_a_float64_module_is_that_of_a_float32_one_scaled(model_case: MakeCase) -> None:
    judged, tensors = expect(model_case("Perceptron", dtype="float64"), Draw())
    assert judged.yardstick_scale == pytest.approx(2**-29)
    assert tensors["eager output 0"].dtype == torch.float64
    assert errors(tensors["yardstick output 0"], tensors["oracle output 0"])[0] > 1e-8


def test_a_declared_precision_has_its_own_error(model_case: MakeCase) -> None:
    _, tensors = expect(model_case("Perceptron"), Draw(), "bfloat16")
    assert errors(tensors["yardstick output 0"], tensors["oracle output 0"])[0] > 1e-4


def test_outputs_of_few_elements_are_calibrated(model_case: MakeCase) -> None:
    assert expect(model_case("Sum"), Draw())[0].calibration["output 0"] > 0
    assert expect(model_case("Perceptron"), Draw())[0].calibration == {}


def test_draws_that_differ_in_their_seeds_alone_are_calibrated_once(model_case: MakeCase) -> None:
    reference = Reference(Subject(model_case("Sum"), EAGER, Clock(), Draw()))
    draws = Draw(), Draw(seed=5, nonce=3), Draw(distribution="large")
    first, other, large = (reference.expect(draw, None)[0].calibration for draw in draws)
    assert first == other != large


def test_a_module_that_has_no_float64_is_said_to_have_no_oracle(
    model_case: MakeCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = Subject(model_case("Perceptron"), EAGER, Clock(), Draw())

    def forward(self: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        if x.dtype == torch.float64:
            raise TypeError("only float32\nis implemented")
        return x

    monkeypatch.setattr(type(subject.module), "forward", forward)
    judged, tensors = Reference(subject).expect(Draw(), None)
    assert judged.oracle_failure == "TypeError: only float32"
    assert list(tensors) == ["eager output 0"]


def test_touched_bytes_are_those_that_matter(model_case: MakeCase) -> None:
    touched = Reference(Subject(model_case("Perceptron"), EAGER, Clock(), Draw())).touched_bytes(Draw())
    assert touched == 4 * (8 * 16 + 8 * 40)
    degenerate = Reference(Subject(model_case("Nothing"), EAGER, Clock(), Draw())).touched_bytes(Draw())
    assert degenerate == 4 * 8
    tokens = Reference(Subject(model_case("Embedding"), EAGER, Clock(), Draw())).touched_bytes(Draw())
    assert tokens == 4 * 3 * 7 * 6
