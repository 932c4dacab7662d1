"""Tests of answering requests, in the test's own process."""

import json
import socket
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest

from netwright.cases import CaseOptions
from netwright.harness import EAGER, Variant, protocol
from netwright.harness.channel import Channel
from netwright.harness.clock import Clock
from netwright.harness.protocol import Draw
from netwright.harness.worker import Worker, serve

CaseName = Callable[[str], str]
MakeVariant = Callable[[str, str], Variant]


@pytest.fixture
def channel() -> Iterator[Channel]:
    """The judge's end of a channel that a worker serves."""
    ours, theirs = socket.socketpair()
    with theirs:
        thread = Thread(target=serve, args=(Channel(theirs), Worker(Clock()), lambda: None), daemon=True)
        thread.start()
        end = Channel(ours)
        yield end
        end.close()
        thread.join(timeout=30)
        assert not thread.is_alive()


def ask(channel: Channel, request: str) -> tuple[str, dict[str, Any], set[str]]:
    channel.send(f"token {request}")
    text, tensors = channel.receive(timeout=60)
    token, outcome, body = text.split(" ", 2)
    assert token == "token"
    return outcome, json.loads(body), set(tensors)


def load(case: str, variant: Variant = EAGER) -> str:
    return protocol.Load(case=case, options=CaseOptions(), variant=variant, threads=1).model_dump_json()


def test_a_conversation(channel: Channel, case_name: CaseName) -> None:
    outcome, loaded, _ = ask(channel, load(case_name("Perceptron")))
    assert (outcome, loaded["batch_size"], loaded["dtype"]) == ("answered", 8, "float32")
    outcome, observed, tensors = ask(channel, protocol.Run(draw=Draw()).model_dump_json())
    assert (outcome, observed["structure"], tensors) == ("answered", "tensor", {"output 0"})
    _, judged, tensors = ask(channel, protocol.Expect(draw=Draw()).model_dump_json())
    assert judged["oracle_failure"] == ""
    assert tensors == {"eager output 0", "oracle output 0"}
    outcome, _, _ = ask(channel, protocol.WarmUp(draw=Draw(), seconds=0.0).model_dump_json())
    assert outcome == "answered"
    outcome, times, _ = ask(channel, protocol.Time(nonces=(1, 2), cache="cold").model_dump_json())
    assert len(times["times_ms"]) == 2
    for request in (
        protocol.Recall(),
        protocol.Prove(nonces=(3, 4)),
        protocol.Reveal(calls=(1,)),
        protocol.Profile(calls=1),
        protocol.Memory(),
        protocol.ModelMetric(target="netwright_execution.metrics:parameters"),
        protocol.Bandwidth(working_set=1 << 14),
        protocol.PeakRate(dtype="float32"),
        protocol.TouchedBytes(draw=Draw()),
    ):
        assert ask(channel, request.model_dump_json())[0] == "answered", request


def test_a_failure_is_an_answer_and_the_conversation_goes_on(
    channel: Channel, case_name: CaseName, local_variant: MakeVariant
) -> None:
    ask(channel, load(case_name("Perceptron"), local_variant("cheats.py", "raises")))
    outcome, failure, _ = ask(channel, protocol.Run(draw=Draw()).model_dump_json())
    assert (outcome, failure["stage"], failure["what"]) == ("failed", "call", "ValueError: no thank you")
    assert not failure["user_error"]
    outcome, failure, _ = ask(channel, protocol.ModelMetric(target="math:no_such").model_dump_json())
    assert (outcome, failure["user_error"]) == ("failed", True)
    assert ask(channel, protocol.Recall().model_dump_json())[0] == "failed"


def test_a_case_that_cannot_be_loaded_fails_at_that_stage(channel: Channel) -> None:
    outcome, failure, _ = ask(channel, load("script:nowhere.py:Model"))
    assert (outcome, failure["stage"], failure["user_error"]) == ("failed", "case", True)
    assert failure["what"] == "cannot read nowhere.py"


def test_a_request_that_is_none_fails(channel: Channel) -> None:
    outcome, failure, _ = ask(channel, '{"kind": "no such"}')
    assert outcome == "failed"
    assert "ValidationError" in failure["what"]
