"""A local server that speaks OpenAI's protocol and says what a test wrote down; and a model that asks it."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from netwright.llm.clock import Clock
from netwright.llm.config import LlmConfig
from netwright.llm.create import create_model
from netwright.llm.model import LanguageModel


@dataclass
class Turn:
    """What the server does with one request.

    Attributes:
        text: The answer.
        tools: Tool calls instead: pairs of name and arguments as JSON text.
        tokens: Prompt and answer tokens that it reports; None to report nothing.
        status: The HTTP status, with `body` for any but 200.
        cut: Close the connection in the middle of the answer.
        silent: Do not answer until the test is over.
    """

    text: str = ""
    tools: list[tuple[str, str]] = field(default_factory=list)
    tokens: tuple[int, int] | None = (100, 10)
    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False
    finish: str = "stop"


@dataclass
class Server:
    """The running server: its address, its script, and the requests that it got."""

    address: str = ""
    script: list[Turn] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def says(self, *turns: Turn | str | dict[str, Any]) -> None:
        """Put turns at the end of the script; a text or a JSON object is an answer."""
        for turn in turns:
            if isinstance(turn, dict):
                turn = json.dumps(turn)  # noqa: PLW2901 - the same turn, spelled out
            self.script.append(Turn(turn) if isinstance(turn, str) else turn)


class Handler(BaseHTTPRequestHandler):
    """Plays one turn per request."""

    protocol_version = "HTTP/1.1"
    played: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""

    def do_POST(self) -> None:
        """Play the next turn."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.played.requests.append(asked)
        self.played.keys.append(self.headers.get("Authorization", ""))
        turn = self.played.script.pop(0) if self.played.script else Turn(status=500, body="the script is at its end")
        if turn.silent:
            self.played.over.wait(30)
            self.close_connection = True
        elif turn.status != 200 or turn.body:
            self._send(turn.status, turn.body.encode(), turn.headers)
        elif asked.get("stream"):
            self._stream(turn, asked)
        else:
            answer = json.dumps(completion(turn, asked)).encode()
            self._send(200, answer, {"Content-Type": "application/json"}, cut=turn.cut)

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut

    def _stream(self, turn: Turn, asked: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        events = list(chunks(turn, asked))
        for event in events[: len(events) // 2] if turn.cut else events:
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
        if not turn.cut:
            self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True


def completion(turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """An answer in OpenAI's format."""
    message: dict[str, Any] = {"role": "assistant", "content": turn.text}
    if turn.tools:
        message["tool_calls"] = tool_calls(turn)
    finish = "tool_calls" if turn.tools else turn.finish
    values = envelope("chat.completion", asked)
    values["choices"] = [{"index": 0, "message": message, "finish_reason": finish}]
    return values | usage(turn)


def chunks(turn: Turn, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same in pieces of three letters."""
    pieces = [turn.text[start : start + 3] for start in range(0, len(turn.text), 3)]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces)]
    if turn.tools:
        deltas.append({"tool_calls": [{"index": i, **call} for i, call in enumerate(tool_calls(turn))]})
    common = envelope("chat.completion.chunk", asked)
    for delta in deltas:
        yield common | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    finish = "tool_calls" if turn.tools else turn.finish
    yield common | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    if turn.tokens is not None:
        yield common | {"choices": []} | usage(turn)


def envelope(kind: str, asked: dict[str, Any]) -> dict[str, Any]:
    return {"id": "answer-1", "object": kind, "created": 0, "model": asked["model"]}


def tool_calls(turn: Turn) -> list[dict[str, Any]]:
    return [
        {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for index, (name, arguments) in enumerate(turn.tools)
    ]


def usage(turn: Turn) -> dict[str, Any]:
    if turn.tokens is None:
        return {}
    prompt, answer = turn.tokens
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}}


@dataclass
class FakeTime:
    """A clock that passes only when someone sleeps."""

    passed: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        self.pauses.append(seconds)

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.passed, sleep=self.sleep)


@pytest.fixture
def turn() -> type[Turn]:
    return Turn


@pytest.fixture
def server() -> Iterator[Server]:
    played = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"played": played}))
    http.daemon_threads = True
    played.address = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield played
    finally:
        played.over.set()
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no proxy of the person who runs the tests is seen."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "AZURE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def model(server: Server, project: Path, fake_time: FakeTime) -> Callable[..., LanguageModel]:
    """A function that makes a model which asks the server, with settings of `llm` as arguments."""

    def make(folder: Path | None = None, **settings: Any) -> LanguageModel:
        values = {"backend": "litellm", "model": "openai/x", "api_base": server.address, "backoff": 1.0, **settings}
        config = LlmConfig.model_validate(values)
        return create_model(config, folder=folder, workspace=project, clock=fake_time.clock)

    return make
