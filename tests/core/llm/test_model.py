"""Conversations: tools, repairs and what stays of them; the same over HTTP is tested with the litellm backend."""

from collections.abc import Callable

import pytest
from pydantic import BaseModel

from netwright.context import RunContext, current_run
from netwright.errors import UserError
from netwright.llm import LanguageModelError, LlmConfig, Message, ToolCall
from netwright.llm.backends.scripted import ScriptedBackend
from netwright.llm.errors import RepetitionError
from netwright.llm.model import LONGEST_RESULT
from netwright.registry import Registry
from netwright.runfolder import read_json_lines

Script = Callable[..., ScriptedBackend]

TOOLS = """
from netwright import hookimpl
from netwright.specs import ToolSpec

def repeat(text: str, times: int = 1) -> str:
    "Repeat a text."
    return text * times

@hookimpl
def netwright_tools():
    return [ToolSpec(name="repeat", summary="Repeat", target="inline:repeat")]
"""
QUESTION = [Message.user("How wide?")]


class Size(BaseModel):
    width: int


def test_no_model_says_how_to_get_one(project: object) -> None:
    with pytest.raises(UserError, match=r"no language model is configured; llm\.backend is 'none'; add llm=litellm"):
        current_run().model.complete(QUESTION)


def test_a_conversation_can_go_on(run_context: RunContext, scripted_model: Script) -> None:
    backend = scripted_model("eight", "nine")
    first = run_context.model.complete(QUESTION)
    run_context.model.complete([*first.messages, Message.user("And now?")])
    assert [message.content for message in backend.requests[1].messages] == ["How wide?", "eight", "And now?"]


def test_system_messages_are_one_and_come_first(run_context: RunContext, scripted_model: Script) -> None:
    backend = scripted_model(Size(width=8))
    run_context.model.complete([Message.system("Be brief."), *QUESTION, Message.system("Be right.")], schema=Size)
    system, user = backend.requests[0].messages
    assert system.content.startswith("Be brief.\n\nBe right.\n\nAnswer with one JSON object")
    assert user.content == "How wide?"


def test_what_failed_is_counted_too(run_context: RunContext, scripted_model: Script) -> None:
    scripted_model(*["eight"] * 3)
    with pytest.raises(LanguageModelError, match="it holds no JSON object") as caught:
        run_context.model.complete(QUESTION, schema=Size)
    assert caught.value.usage.answer_tokens == 3
    assert run_context.folder is not None
    events = [event["event"] for event in read_json_lines(run_context.folder.events_file)]
    assert events.count("answer_does_not_fit") == 3


def test_a_long_result_is_shortened(
    run_context: RunContext, scripted_model: Script, register_plugin: Callable[..., Registry]
) -> None:
    register_plugin(TOOLS)
    call = ToolCall(id="1", name="repeat", arguments='{"text": "ab", "times": 100000}')
    backend = scripted_model(call, "done")
    run_context.model.complete(QUESTION, tools=["repeat"])
    result = backend.requests[1].messages[-1].content
    assert len(result) < LONGEST_RESULT + 100
    assert "180000 letters left out" in result


def test_one_tool_call_again_and_again_is_stopped(
    run_context: RunContext, scripted_model: Script, register_plugin: Callable[..., Registry]
) -> None:
    register_plugin(TOOLS)
    run_context.llm = LlmConfig(repeats=2)
    scripted_model(*[ToolCall(id="1", name="repeat", arguments='{"text": "a"}')] * 3)
    with pytest.raises(RepetitionError, match="one tool call had the same result 2 times"):
        run_context.model.complete(QUESTION, tools=["repeat"])


def test_a_tool_that_does_not_exist_is_the_callers_mistake(run_context: RunContext, scripted_model: Script) -> None:
    scripted_model("done")
    with pytest.raises(UserError, match="no tool named 'repaet'"):
        run_context.model.complete(QUESTION, tools=["repaet"])
