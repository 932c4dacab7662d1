"""Tests of the channel between judge and worker."""

import socket
from collections.abc import Iterator
from threading import Thread

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netwright.harness.channel import HEADER, Channel, ChannelError


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), theirs


@given(st.text(), st.lists(st.lists(st.floats(allow_nan=False), max_size=5), max_size=3))
def test_a_message_arrives_as_it_was_sent(text: str, rows: list[list[float]]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        tensors = {str(index): torch.tensor(row, dtype=torch.float64) for index, row in enumerate(rows)}
        Channel(ours).send(text, tensors)
        received, values = Channel(theirs).receive(timeout=10)
    assert received == text
    assert values.keys() == tensors.keys()
    assert all(torch.equal(values[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(1.5),
        torch.zeros(0, 3),
        torch.ones(2, 3, dtype=torch.bfloat16),
        torch.tensor([True, False]),
        torch.arange(6).reshape(2, 3).t(),
        torch.ones(3, requires_grad=True),
        torch.eye(2).to_sparse(),
    ],
)
def test_any_tensor_travels(ends: tuple[Channel, socket.socket], tensor: torch.Tensor) -> None:
    channel, theirs = ends
    channel.send("", {"it": tensor})
    _, values = Channel(theirs).receive(timeout=10)
    assert torch.equal(values["it"], tensor.detach().to_dense())


def test_complex_tensors_travel_as_pairs(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    channel.send("", {"it": torch.tensor([1 + 2j]).conj()})
    _, values = Channel(theirs).receive(timeout=10)
    assert values["it"].tolist() == [[1.0, -2.0]]


def test_a_message_larger_than_the_sockets_buffer_arrives(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    large = torch.arange(1 << 20)
    sender = Thread(target=channel.send, args=("large", {"it": large}))
    sender.start()
    text, values = Channel(theirs).receive(timeout=30)
    sender.join()
    assert text == "large"
    assert torch.equal(values["it"], large)


def test_silence_times_out(ends: tuple[Channel, socket.socket]) -> None:
    with pytest.raises(TimeoutError):
        ends[0].receive(timeout=0.01)


def test_half_a_message_times_out(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    theirs.sendall(HEADER.pack(10, 0) + b"half")
    with pytest.raises(TimeoutError):
        channel.receive(timeout=0.05)


def test_a_closed_channel_is_an_error(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    theirs.close()
    with pytest.raises(ChannelError, match="gone"):
        channel.receive(timeout=1)


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff" * HEADER.size,
        HEADER.pack(2, 0) + b"\xff\xff",
        HEADER.pack(2, 9) + b"{}" + b"no tensor",
    ],
)
def test_rubbish_is_an_error(ends: tuple[Channel, socket.socket], rubbish: bytes) -> None:
    channel, theirs = ends
    theirs.sendall(rubbish)
    with pytest.raises(ChannelError, match="not a message"):
        channel.receive(timeout=1)
