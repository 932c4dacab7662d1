"""Asking a person before a node runs: what is about to happen, and their answer, which the run's log keeps."""

import json
import sys
from typing import Literal

from rich.console import Console
from rich.panel import Panel
from rich.prompt import Confirm
from rich.text import Text

from netwright.context import RunContext

Answer = Literal["yes", "no", "nobody"]
STATE_LINES = 30


def ask(context: RunContext, *, workflow: str, node: str, purpose: str, state: str) -> Answer:
    """Show what is about to happen and ask on the terminal.

    Args:
        purpose: The first line of the node's docstring; may be empty.
        state: The state as JSON text.

    Returns:
        The answer; "nobody" without a terminal to ask on, or when it hangs up.
    """
    if not can_ask(context.console):
        return "nobody"
    with context.pause_progress():
        context.console.print(_announcement(workflow, node, purpose, state))
        try:
            return "yes" if Confirm.ask(f"run {node}?", console=context.console, default=False) else "no"
        except EOFError:
            return "nobody"


def can_ask(console: Console) -> bool:
    """Whether a person sits at this terminal."""
    return console.is_terminal and not console.quiet and sys.stdin.isatty()


def _announcement(workflow: str, node: str, purpose: str, state: str) -> Panel:
    lines = json.dumps(json.loads(state), indent=2, ensure_ascii=False).splitlines()
    if len(lines) > STATE_LINES:
        lines = [*lines[:STATE_LINES], f"... {len(lines) - STATE_LINES} lines more"]
    text = Text.assemble((f"{purpose}\n" if purpose else ""), ("with this state:\n", "dim"), "\n".join(lines))
    return Panel(text, title=Text(f"workflow {workflow}: about to run {node}"), title_align="left")
