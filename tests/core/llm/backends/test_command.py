"""Command-line models: the prompt goes in, the answer comes out, and nothing of the program stays behind."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from netwright.llm import LlmConfig, Message, create_model
from netwright.llm.backends.command import read_answer, render_prompt
from netwright.llm.errors import CommandError
from netwright.llm.messages import Request, ToolCall, ToolSchema
from netwright.llm.model import LanguageModel
from netwright.registry import Registry

QUESTION = [Message.user("How wide?")]
ECHO = "import sys; print(sys.stdin.read().upper())"


class Size(BaseModel):
    width: int


@pytest.fixture
def command(project: Path) -> Callable[..., LanguageModel]:
    """A function that makes a model of a Python program."""

    def make(program: str, **settings: Any) -> LanguageModel:
        config = LlmConfig.model_validate(
            {"backend": "command", "command": [sys.executable, "-c", program], "cache": "off", **settings}
        )
        return create_model(config, folder=project / "run", workspace=project)

    return make


def test_the_prompt_is_its_input_and_the_answer_its_output(command: Callable[..., LanguageModel]) -> None:
    reply = command(ECHO).complete([Message.system("Be brief."), *QUESTION])
    assert reply.text == "BE BRIEF.\n\nHOW WIDE?"
    assert reply.model == f"command:{Path(sys.executable).name}"
    assert reply.usage.cost is None


def test_a_structured_answer_with_repair(command: Callable[..., LanguageModel]) -> None:
    program = "import sys; print('{\"width\": 8}' if 'cannot be used' in sys.stdin.read() else 'eight')"
    reply = command(program).complete(QUESTION, schema=Size)
    assert (reply.value.width, reply.requests) == (8, 2)


def test_tools_work_through_the_prompt(
    command: Callable[..., LanguageModel], register_plugin: Callable[..., Registry]
) -> None:
    register_plugin(
        "from netwright import hookimpl\nfrom netwright.specs import ToolSpec\n"
        "def double(n: int) -> int:\n    return 2 * n\n"
        "@hookimpl\ndef netwright_tools():\n"
        "    return [ToolSpec(name='double', summary='Double', target='inline:double')]\n"
    )
    program = (
        'import sys; asked = sys.stdin.read(); call = \'{"tool_calls": [{"name": "double", "arguments": {"n": 4}}]}\'\n'
        "print('{\"width\": 8}' if '[result of call_0]\\n8' in asked else call)"
    )
    assert command(program).complete(QUESTION, schema=Size, tools=["double"]).value.width == 8


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import sys; sys.exit('out of credit')", "ends with exit code 1; out of credit"),
        ("pass", "printed no answer"),
        ("import time; time.sleep(60)", "did not answer within 0.5 s"),
    ],
)
def test_a_program_that_fails(command: Callable[..., LanguageModel], program: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        command(program, timeout=0.5 if "sleep" in program else 30).complete(QUESTION)


def test_what_a_program_started_ends_with_it(command: Callable[..., LanguageModel], project: Path) -> None:
    program = (
        "import pathlib, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "pathlib.Path('child').write_text(str(child.pid)); print('eight')"
    )
    assert command(program).complete(QUESTION).text == "eight"
    child = int((project / "child").read_text())
    until = time.monotonic() + 10
    while _alive(child) and time.monotonic() < until:
        os.sched_yield()
    assert not _alive(child)


def test_variables_of_env_files_reach_it_and_no_further(
    command: Callable[..., LanguageModel], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARED", "environment")
    (project / ".env").write_text("ONLY_HERE=file\nSHARED=file\n")
    program = "import os; print(os.environ['ONLY_HERE'], os.environ['SHARED'])"
    assert command(program).complete(QUESTION).text == "file environment"
    assert "ONLY_HERE" not in os.environ


def test_another_version_of_the_program_is_another_model(project: Path) -> None:
    program = project / "model.sh"
    config = LlmConfig(backend="command", command=[str(program)])
    for answer, stamp in (("old", 1), ("new", 2)):
        program.write_text(f"#!/bin/sh\ncat >/dev/null\necho {answer}\n")
        program.chmod(0o755)
        os.utime(program, (stamp, stamp))
        assert create_model(config, workspace=project).complete(QUESTION).text == answer


def test_a_conversation_is_told_turn_by_turn() -> None:
    call = ToolCall(id="call_0", name="double", arguments='{"n": 4}')
    request = Request(
        messages=(
            Message.system("Be brief."),
            Message.user("How wide?"),
            Message(role="assistant", tool_calls=(call,)),
            Message(role="tool", content="8", tool_call_id="call_0"),
        ),
        tools=(ToolSchema(name="double", description="Double it.", parameters={}),),
    )
    prompt = render_prompt(request)
    order = [
        "Be brief.",
        "You may call tools",
        '"Double it."',
        "[user]\nHow wide?",
        "[assistant]",
        "[result of call_0]\n8",
    ]
    positions = [prompt.index(part) for part in order]
    assert positions == sorted(positions)


@pytest.mark.parametrize("text", ['{"tool_calls": []}', '{"tool_calls": "double"}', '{"tool_calls": [1]}', "text", "{"])
def test_what_is_no_tool_call_is_an_answer(text: str) -> None:
    assert read_answer(text, tools=True) == (text, ())


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
