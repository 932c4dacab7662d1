"""The table of who decided what."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from netwright.context import RunContext
from netwright.decisions.summary import decisions_block
from netwright.llm import Message
from netwright.llm.backends.scripted import ScriptedBackend
from netwright.llm.errors import RefusedError


def test_a_run_without_a_model_has_none(run_context: RunContext) -> None:
    assert run_context.folder is not None
    assert decisions_block(run_context.folder) is None


def test_rows_count_who_decided_and_the_caption_what_it_took(
    run_context: RunContext, scripted_model: Callable[..., ScriptedBackend]
) -> None:
    scripted_model("one two three", RefusedError("no"))
    assert run_context.folder is not None
    run_context.model.complete([Message.user("a b c d")])
    with suppress(RefusedError):
        run_context.model.complete([Message.user("again?")])
    for record in (
        {"question": "How wide", "taken_by": "model", "tokens": 7},
        {"question": "How wide", "taken_by": "rule", "tokens": 0, "fallback": "no"},
        {"question": "How deep", "taken_by": "rule"},
    ):
        run_context.folder.decision(record)
    block = decisions_block(run_context.folder)
    assert block is not None
    assert block.rows == [["How wide", "1", "1", "1", "7"], ["How deep", "0", "1", "0", "0"]]
    assert block.caption.startswith(
        "scripted · 2 requests · 1 question without an answer · 7 tokens · 0.0000 US dollars"
    )
    replayed = decisions_block(run_context.folder, replayed=Path("other"), compact=False)
    assert replayed is not None
    assert replayed.caption.startswith("replayed from other, so that nothing was spent")
    assert not replayed.compact
