"""What a run's decisions and its language model amount to, as one table of its report."""

from collections import Counter
from pathlib import Path

from netwright.formatting import format_duration, format_number
from netwright.llm.messages import Usage
from netwright.llm.transcript import CallRecord, read_records
from netwright.result import TableBlock
from netwright.runfolder import RunFolder, read_json_lines


def decisions_block(folder: RunFolder, *, replayed: Path | None = None, compact: bool = True) -> TableBlock | None:
    """Who took which decisions, and what the language model took; None where none was asked.

    Args:
        replayed: The recording that the run replayed.
        compact: Whether the terminal shows it.
    """
    calls = [record for record in read_records(folder.llm / "calls.jsonl") if isinstance(record, CallRecord)]
    if not calls:
        return None
    table: dict[str, Counter[str]] = {}
    for record in read_json_lines(folder.decisions_file):
        row = table.setdefault(str(record.get("question", "")), Counter())
        row[str(record.get("taken_by", ""))] += 1
        row["fallback"] += "fallback" in record
        row["tokens"] += int(record.get("tokens", 0))
    return TableBlock(
        title="decisions",
        columns=["question", "by model", "by rule", "of these fallbacks", "tokens"],
        rows=[
            [question, *(str(row[key]) for key in ("model", "rule", "fallback")), format_number(row["tokens"])]
            for question, row in table.items()
        ],
        caption=_caption(calls, replayed),
        compact=compact,
    )


def _caption(calls: list[CallRecord], replayed: Path | None) -> str:
    answers = [call.answer for call in calls if call.answer is not None]
    usage = sum((answer.usage for answer in answers), Usage())
    cached = sum(call.cached for call in calls)
    retries = sum(len(call.retries) for call in calls)
    failed = sum(call.failure is not None for call in calls)
    facts = [
        ", ".join(dict.fromkeys(call.model for call in calls)),
        f"{_count(sum(call.sent for call in calls), 'request')}{f', {retries} of them again' if retries else ''}",
        f"{_count(cached, 'answer')} from the cache" if cached else "",
        f"{_count(failed, 'question')} without an answer" if failed else "",
        f"{format_number(usage.tokens)} tokens{' (estimated)' if usage.estimated else ''}",
        "cost unknown" if usage.cost is None else f"{usage.cost:.4f} US dollars",
        f"{format_duration(sum(call.seconds for call in calls))} of waiting",
    ]
    text = " · ".join(fact for fact in facts if fact)
    return f"replayed from {replayed}, so that nothing was spent; when it was recorded: {text}" if replayed else text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else noun + 's'}"
