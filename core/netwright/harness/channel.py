"""The channel between the judge and a worker: one JSON text and some tensors per message, nothing that can run code."""

import socket
import struct
import time
from collections.abc import Mapping

import safetensors.torch
import torch
from torch import Tensor

HEADER = struct.Struct(">QQ")
TEXT_LIMIT = 64 << 20
PAYLOAD_LIMIT = 64 << 30


class ChannelError(Exception):
    """The other side closed the channel or sent what is no message."""


class NotAMessageError(ChannelError):
    """What arrived was not sent by this class."""


class Channel:
    """One end of a connected stream socket.

    A message is two lengths, that many bytes of JSON text, and that many bytes in safetensors form.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, text: str, tensors: Mapping[str, Tensor] | None = None) -> None:
        """Send one message; tensors travel as dense CPU copies, complex ones as pairs of reals.

        Raises:
            ChannelError: The other side is gone.
        """
        body = text.encode()
        payload = safetensors.torch.save({name: _portable(tensor) for name, tensor in (tensors or {}).items()})
        try:
            self._connection.settimeout(None)
            self._connection.sendall(HEADER.pack(len(body), len(payload)))
            self._connection.sendall(body)
            self._connection.sendall(payload)
        except OSError as error:
            raise ChannelError(str(error)) from error

    def receive(self, timeout: float | None = None) -> tuple[str, dict[str, Tensor]]:
        """Wait for one message.

        Args:
            timeout: Seconds until its last byte must have arrived; None waits for ever.

        Raises:
            TimeoutError: It did not arrive in time.
            ChannelError: The other side is gone.
            NotAMessageError: What arrived is no message.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        text_size, payload_size = HEADER.unpack(self._exactly(HEADER.size, deadline))
        if text_size > TEXT_LIMIT or payload_size > PAYLOAD_LIMIT:
            raise NotAMessageError("not a message: its announced size is beyond all bounds")
        text = self._exactly(text_size, deadline)
        payload = self._exactly(payload_size, deadline)
        try:
            return text.decode(), safetensors.torch.load(bytes(payload))
        except Exception as error:  # safetensors has errors of its own kind, one per release
            raise NotAMessageError(f"not a message: {error}") from error

    def close(self) -> None:
        """Close this end."""
        self._connection.close()

    def _exactly(self, size: int, deadline: float | None) -> bytearray:
        received = bytearray(size)
        view = memoryview(received)
        while view:
            if deadline is not None:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError
                self._connection.settimeout(remaining)
            else:
                self._connection.settimeout(None)
            try:
                count = self._connection.recv_into(view)
            except TimeoutError:
                raise
            except OSError as error:
                raise ChannelError(str(error)) from error
            if count == 0:
                raise ChannelError("the other side is gone")
            view = view[count:]
        return received


def _portable(tensor: Tensor) -> Tensor:
    plain = tensor.detach().to_dense() if tensor.layout != torch.strided else tensor.detach()
    real = torch.view_as_real(plain.resolve_conj()) if plain.is_complex() else plain
    return real.cpu().clone(memory_format=torch.contiguous_format)
