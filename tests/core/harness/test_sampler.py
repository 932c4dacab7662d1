"""Tests of timed calls."""

from collections.abc import Callable

import pytest
import torch

from netwright.cases import Case
from netwright.harness import EAGER, Variant
from netwright.harness.clock import Clock
from netwright.harness.observe import digest
from netwright.harness.protocol import Draw
from netwright.harness.sampler import Sampler
from netwright.harness.subject import Subject

MakeCase = Callable[..., Case]


def warm(case: Case, variant: Variant = EAGER) -> tuple[Subject, Sampler]:
    subject = Subject(case, variant, Clock(), Draw())
    sampler = Sampler(subject)
    warmed = sampler.warm_up(Draw(), seconds=0.05)
    assert warmed.first_call_s > 0
    assert warmed.call_ms > 0
    return subject, sampler


def test_there_is_a_latency_per_variation(model_case: MakeCase) -> None:
    _, sampler = warm(model_case("Perceptron"))
    times = sampler.time((1, 2, 3), batch=4, cache="warm")
    assert len(times.times_ms) == 3
    assert times.batch == 4
    assert all(value > 0 for value in times.times_ms)
    assert times.settings["float32_matmul_precision"] == "highest"


@pytest.mark.parametrize("cache", ["cold", "warm"])
def test_a_timed_calls_output_is_that_of_its_variation(model_case: MakeCase, cache: str) -> None:
    subject, sampler = warm(model_case("Perceptron"))
    sampler.time((11, 12), batch=1, cache="warm" if cache == "warm" else "cold")
    recalled, tensors = sampler.recall()
    assert recalled.nonce in (11, 12)
    expected = subject.run(Draw(nonce=recalled.nonce))[1]["output 0"]
    assert torch.equal(tensors["output 0"], expected)
    assert recalled.leaves[0].shape == (8, 40)


def test_every_call_of_a_turn_may_be_the_one_that_is_kept(model_case: MakeCase) -> None:
    _, sampler = warm(model_case("Perceptron"))
    kept = set()
    for _ in range(60):
        sampler.time((1, 2, 3), batch=1, cache="warm")
        kept.add(sampler.recall()[0].nonce)
    assert kept == {1, 2, 3}


def test_of_a_batch_the_last_output_is_kept(model_case: MakeCase) -> None:
    _, sampler = warm(model_case("Perceptron"))
    sampler.time((7,), batch=2, cache="warm")
    assert sampler.recall()[0].nonce == 7


def test_a_proof_commits_to_every_output_and_shows_some(model_case: MakeCase) -> None:
    subject, sampler = warm(model_case("Perceptron"))
    proved = sampler.prove((7, 8, 9))
    assert proved.call_ms > 0
    assert proved.processor_ms > 0
    assert list(proved.digests) == ["0/output 0", "1/output 0", "2/output 0"]
    _, tensors = sampler.reveal((0, 2))
    assert {name: digest(tensor) for name, tensor in tensors.items()}.items() <= proved.digests.items()
    for number, nonce in ((0, 7), (2, 9)):
        expected = subject.run(Draw(nonce=nonce))[1]["output 0"]
        assert torch.equal(tensors[f"{number}/output 0"], expected)


def test_calls_that_change_buffers_are_timed_one_by_one_from_the_same_state(model_case: MakeCase) -> None:
    subject, sampler = warm(model_case("Perceptron", mode="train"))
    assert sampler.time((1, 2), batch=100, cache="warm").batch == 1
    assert subject.buffers_changed
    subject.restore_buffers()
    assert not subject.buffers_changed


def test_random_modules_are_seeded_before_every_sample(model_case: MakeCase) -> None:
    subject, sampler = warm(model_case("Dropping", mode="train"))
    sampler.time((5,), batch=1, cache="warm")
    assert torch.equal(sampler.recall()[1]["output 0"], subject.run(Draw(nonce=5))[1]["output 0"])
