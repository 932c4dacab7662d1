"""Replays of recorded conversations."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netwright.context import RunContext, use_run
from netwright.errors import UserError
from netwright.llm import LlmConfig, Message, ToolCall, create_model
from netwright.llm.backends.scripted import Line, ScriptedBackend
from netwright.llm.errors import RefusedError
from netwright.llm.model import LanguageModel
from netwright.registry import Registry
from netwright.runfolder import RunFolder, read_json_lines

CLOCKED = """
from netwright import hookimpl
from netwright.context import current_run
from netwright.specs import ToolSpec

TIMES = iter(range(10))

def time_it() -> str:
    return f"{next(TIMES)} ms"

def look() -> str:
    return "nothing"

def where() -> str:
    return str(current_run().folder.path)

@hookimpl
def netwright_tools():
    return [ToolSpec(name=name, summary=name, target=f"inline:{name}") for name in ("time_it", "look", "where")]
"""


def live(folder: Path, *script: Line) -> LanguageModel:
    return create_model(LlmConfig(cache="off"), folder=folder, backend=ScriptedBackend(script))


def replay(recorded: Path, folder: Path | None = None) -> LanguageModel:
    return create_model(LlmConfig(backend="replay", folder=recorded), folder=folder)


def ask(model: LanguageModel, *texts: str) -> list[str]:
    return [model.complete([Message.user(text)]).text for text in texts]


def test_answers_and_failures_are_given_again(project: Path) -> None:
    asked = live(project / "a", "one", RefusedError("too long", why="9 letters"), "two")
    assert ask(asked, "1") == ["one"]
    with pytest.raises(RefusedError):
        ask(asked, "2")
    assert ask(asked, "1") == ["two"]
    again = replay(project / "a")
    assert again.name == "scripted"
    assert ask(again, "1") == ["one"]
    with pytest.raises(RefusedError, match="too long; 9 letters"):
        ask(again, "2")
    assert ask(again, "1") == ["two"]


def test_threads_may_ask_in_another_order(project: Path) -> None:
    texts = [str(number) for number in range(20)]
    ask(live(project / "a", *texts), *texts)
    again = replay(project / "a")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda text: ask(again, text)[0], reversed(texts))) == texts[::-1]


def test_tools_are_called_but_the_model_is_told_what_it_was_told(
    project: Path, run_context: object, register_plugin: Callable[..., Registry]
) -> None:
    register_plugin(CLOCKED)
    calls = [ToolCall(id="call_0", name="time_it", arguments="{}")] * 2
    question = [Message.user("How fast?")]
    first = live(project / "a", *calls, "fast").complete(question, tools=["time_it"])
    second = replay(project / "a").complete(question, tools=["time_it"])
    assert second == first
    assert [message.content for message in second.messages if message.role == "tool"] == ["0 ms", "1 ms"]
    events = read_json_lines(project / "run" / "events.jsonl")
    (differs, _) = [event for event in events if event["event"] == "replayed_tool_differs"]
    assert (differs["recorded"], differs["now"]) == ("0 ms", "2 ms")


def test_another_folder_is_no_other_run(project: Path) -> None:
    first = live(project / "a", f"see {project}/a/x")
    ask(first, f"look into {project}/a and {project}")
    assert ask(replay(project / "a", project / "b"), f"look into {project}/b and {project}") == [f"see {project}/b/x"]


def test_tools_that_name_the_runs_folder_are_no_other_run(
    project: Path, run_context: RunContext, register_plugin: Callable[..., Registry]
) -> None:
    register_plugin(CLOCKED)
    calls = [ToolCall(id="call_0", name=name, arguments="{}") for name in ("where", "time_it")]
    question = [Message.user("Where?")]
    live(run_context.folder.path, *calls, "here").complete(question, tools=["where", "time_it"])
    with use_run(RunContext(folder=RunFolder(project / "b"))) as other:
        other.llm = LlmConfig(backend="replay", folder=run_context.folder.path)
        reply = other.model.complete(question, tools=["where", "time_it"])
    assert [m.content for m in reply.messages if m.role == "tool"] == [str(project / "b"), "0 ms"]


@pytest.mark.parametrize(
    ("messages", "tools", "message"),
    [
        ([Message.user("one two four")], [], "call 1 differs from the recording: message 1 (user) says 'one two four'"),
        ([Message.system("be"), Message.user("one two three")], [], "message 1 (system) says 'be'"),
        ([Message.user("one two three"), Message.user("x")], [], "it has 2 messages instead of 1"),
        ([Message.user("one two three")], ["look"], "it offers the tools ['look'] instead of []"),
    ],
)
def test_the_first_difference_is_named(
    project: Path, register_plugin: Callable[..., Registry], messages: list[Message], tools: list[str], message: str
) -> None:
    register_plugin(CLOCKED)
    ask(live(project / "a", "good"), "one two three")
    with pytest.raises(UserError) as caught:
        replay(project / "a").complete(messages, tools=tools)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_call_too_many_is_named(project: Path) -> None:
    ask(live(project / "a", "one"), "1")
    again = replay(project / "a")
    ask(again, "1")
    with pytest.raises(UserError, match="no more than 1 calls"):
        ask(again, "1")


@pytest.mark.parametrize("line", [{"format": 99}, [1], {"format": 1, "kind": "call", "call": "x"}])
def test_what_is_no_transcript_is_refused(project: Path, line: object) -> None:
    (project / "calls.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(UserError, match=r"calls\.jsonl is no transcript of this version"):
        replay(project)


def test_a_torn_last_line_is_skipped(project: Path) -> None:
    ask(live(project / "a", "one", "two"), "1", "2")
    file = project / "a" / "llm" / "calls.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    assert ask(replay(project / "a"), "1") == ["one"]
