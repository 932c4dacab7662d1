"""A command-line model: a program that reads the prompt from standard input and prints the answer."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from netwright.llm.backends.backend import Progress
from netwright.llm.config import LlmConfig
from netwright.llm.envfile import read_env_files
from netwright.llm.errors import CommandError
from netwright.llm.messages import Answer, Message, Request, ToolCall, ToolSchema, Usage
from netwright.llm.structured import AnswerError, find_object

COMPLAINT = 300
"""How many letters of what a failing command said last are shown."""
LONGEST_ANSWER = 10_000_000
"""How many bytes of an answer are read."""


class CommandBackend:
    """One program, started anew for each request; the variables of `.env` files are in its environment."""

    def __init__(self, config: LlmConfig, *, env_files: Sequence[Path]) -> None:
        self._config = config
        self._env_files = list(env_files)
        self.name = f"command:{Path(config.argv[0]).name}"

    def identity(self) -> dict[str, Any]:
        """The command's words, and which program that is at present: an update is another model."""
        program = Path(shutil.which(self._config.argv[0]) or self._config.argv[0]).resolve()
        written = program.stat().st_mtime_ns if program.exists() else None
        return {"backend": "command", "argv": self._config.argv, "program": str(program), "written": written}

    def prepare(self) -> None:
        """See that the program is there; raises as `LlmConfig.check`."""
        self._config.check()

    def send(self, request: Request, *, timeout: float, first: bool, progress: Progress) -> Answer:  # noqa: ARG002
        """Run the program once. It ends with all that it started, whether it answers or is too slow.

        Raises:
            CommandError: It is too slow, ends with an error, or says nothing.
        """
        name = self._config.argv[0]
        with TemporaryFile() as prompt, TemporaryFile() as output, TemporaryFile() as complaint:
            prompt.write(render_prompt(request).encode())
            prompt.seek(0)
            code = self._run(prompt, output, complaint, timeout)
            text, last = _read(output).strip(), " ".join(_read(complaint).split())[-COMPLAINT:]
        if code != 0:
            raise CommandError(f"'{name}' ends with exit code {code}", why=last)
        if not text:
            raise CommandError(f"'{name}' printed no answer", why=last)
        text, calls = read_answer(text, tools=bool(request.tools))
        return Answer(text=text, tool_calls=calls, model=self.name, usage=Usage(cost=None))

    def _run(self, prompt: IO[bytes], output: IO[bytes], complaint: IO[bytes], timeout: float) -> int:
        """Run the program to its end, and end what it left running; files, for a pipe would wait for those, too."""
        name = self._config.argv[0]
        variables = {**read_env_files(self._env_files), **os.environ}
        try:
            process = subprocess.Popen(
                self._config.argv, stdin=prompt, stdout=output, stderr=complaint, env=variables, start_new_session=True
            )
        except OSError as error:
            raise CommandError(f"'{name}' does not start", why=(error.strerror or str(error)).lower()) from None
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise CommandError(f"'{name}' did not answer within {timeout:g} s", remedy="llm.timeout=SECONDS") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def render_prompt(request: Request) -> str:
    """A request as one text: a single question as it stands, a longer conversation turn by turn."""
    turns = [message for message in request.messages if message.role != "system"]
    parts = [message.content for message in request.messages if message.role == "system"]
    if request.tools:
        parts.append(_tool_instructions(request.tools))
    if len(turns) == 1:
        parts.append(turns[0].content)
    else:
        parts.append("This is the conversation so far; give its next turn.")
        parts += [_turn(message) for message in turns]
    return "\n\n".join(parts) + "\n"


def read_answer(text: str, *, tools: bool) -> tuple[str, tuple[ToolCall, ...]]:
    """What a program printed, as a text and the tool calls in it."""
    if tools:
        with suppress(AnswerError):
            calls = find_object(text).get("tool_calls")
            if isinstance(calls, list) and calls and all(isinstance(call, dict) for call in calls):
                return "", tuple(_tool_call(index, call) for index, call in enumerate(calls))
    return text, ()


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(LONGEST_ANSWER).decode("utf-8", "replace")


def _tool_call(index: int, call: dict[str, Any]) -> ToolCall:
    arguments = json.dumps(call.get("arguments", {}), ensure_ascii=False)
    return ToolCall(id=f"call_{index}", name=str(call.get("name", "")), arguments=arguments)


def _tool_instructions(tools: Sequence[ToolSchema]) -> str:
    described = "\n".join(json.dumps(tool.model_dump(mode="json"), ensure_ascii=False) for tool in tools)
    return (
        "You may call tools before you answer. To call some, answer with nothing but the JSON object "
        '{"tool_calls": [{"name": NAME, "arguments": {...}}]}; you will be shown their results. '
        f"The tools, with the JSON schema of their arguments:\n{described}"
    )


def _turn(message: Message) -> str:
    calls = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    content = json.dumps({"tool_calls": calls}, ensure_ascii=False) if calls else message.content
    label = {"tool": f"result of {message.tool_call_id}"}.get(message.role, message.role)
    return f"[{label}]\n{content}"
