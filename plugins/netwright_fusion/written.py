"""Candidates that a language model writes: whole modules, judged like any other, and repaired within bounds."""

import inspect
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

from netwright.cases import Case
from netwright.context import current_run
from netwright.files import slug, write_text
from netwright.harness.source import complaint as source_complaint
from netwright.llm import LanguageModelError, Message
from netwright_fusion.plan import Plan
from netwright_fusion.portfolio import Candidate

RULES = """\
Write one complete Python file. It may import torch and triton and nothing else, and defines `ModelNew`, an nn.Module
with the constructor, parameter names and buffer names of the original, so that its state dict loads. Its forward must
return what the original's returns, in dtype, shape, strides and aliasing, for any weights that are loaded later, and
change buffers as the original does. It is judged against a float64 oracle on inputs that nobody knows, and timed
against torch.compile in max-autotune mode. No try/except, no files, no threads, no timers, no changes of settings."""
LONGEST_SOURCE = 30_000


class WrittenModule(BaseModel):
    """A module that takes the original's place."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    code: str
    """The whole file."""
    idea: str = ""
    """What makes it faster, in one sentence."""


def has_model() -> bool:
    """Whether the run in force has a language model."""
    run = current_run()
    return run.backend is not None or run.llm.backend != "none"


def attempt_label(number: int, attempts: int) -> str:
    """What the next attempt at a candidate is called, after so many."""
    return f"written_{number}_repair_{attempts}" if attempts else f"written_{number}"


def attempts_of(candidates: Sequence[Candidate], label: str) -> int:
    """How many attempts there are at the candidate that an attempt belongs to."""
    stem = "_".join(label.split("_")[:2])
    return sum(each.label == stem or each.label.startswith(f"{stem}_") for each in candidates)


def ask_for_module(original: str, device: str, plan: Plan, history: Sequence[tuple[str, str]]) -> WrittenModule | None:
    """What the model writes; None where it gives no usable answer, which is said.

    Args:
        original: The source of the case's module.
        history: What it wrote before, and what was wrong with it.
    """
    steps = "\n".join(f"- {step.site}: {step.reason}" for step in plan.steps) or "- none"
    facts = f"The module runs on {device}.\n\n```python\n{original}\n```\n\nRewrites that are right here:\n{steps}"
    messages = [Message.system(RULES), Message.user(facts)]
    for code, problem in history:
        messages.append(Message.user(f"You wrote:\n```python\n{code}\n```\nIt was rejected: {problem}\nMend it."))
    try:
        reply = current_run().model.complete(messages, schema=WrittenModule)
    except LanguageModelError as error:
        current_run().warn(f"the language model wrote no module: {error}")
        return None
    return reply.value


def original_source(case: Case) -> str:
    """The source of a case's module, as a model is shown it: its whole file, or what torch prints of it."""
    if case.module_class is not None:
        file = inspect.getsourcefile(case.module_class())
        if file is not None:
            return Path(file).read_text(encoding="utf-8")[:LONGEST_SOURCE]
    with torch.device("meta"):
        return repr(case.build())[:LONGEST_SOURCE]


def write_module(root: Path, label: str, written: WrittenModule) -> tuple[Candidate, str | None]:
    """Write the model's file where the harness finds it.

    Returns:
        The candidate, and what its source has no business with, or None; such a file is never run.
    """
    path = root / "artifacts" / slug(label) / "optimized.py"
    write_text(path, written.code if written.code.endswith("\n") else f"{written.code}\n")
    candidate = Candidate(label=label, kind="written", execution="as written", path=path.relative_to(root).as_posix())
    try:
        return candidate, source_complaint(candidate.variant(root))
    except Exception as error:  # a file that is no Python
        return candidate, " ".join(str(error).split())
