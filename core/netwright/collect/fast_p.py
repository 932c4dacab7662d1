"""fast_p: of many problems, the fraction whose answer is right and more than p times faster than a baseline.

After KernelBench (Ouyang et al. 2025, section 3.3). It is made of runs of agents that optimise a case: their metrics
hold `best`, the label of what they hand back, and `variants`, which say of each label whether it is verified, and how
many times faster it is than eager (`speedup_vs_eager`) and than the fastest baseline (`speedup_vs_best_baseline`).
"""

import math
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from netwright.formatting import format_number
from netwright.result import Record, Result, TableBlock

THRESHOLDS = (0.0, 1.0, 1.5, 2.0, 5.0)
LONGEST_REASON = 60


class Answer(Record):
    """What became of one problem."""

    agent: str
    case: str
    seed: int
    correct: bool
    """Whether what is handed back was verified."""
    vs_eager: float | None = None
    vs_fastest: float | None = None
    failure: str | None = None
    """Why it is not correct, or has no speed-up."""


class FastP(Record):
    """The answers of one agent, together."""

    agent: str
    problems: int
    correct: int
    vs_eager: dict[str, float]
    """The fraction of all problems that are right and more than p times faster, by p."""
    vs_fastest: dict[str, float]
    mean_vs_eager: float | None
    """Geometric mean over the answers that have a speed-up."""
    mean_vs_fastest: float | None
    failures: dict[str, int]
    """How often each reason occurred."""


class _Variant(Record):
    label: str
    verified: bool
    speedup_vs_eager: float | None = None
    speedup_vs_best_baseline: float | None = None


def answers(results: Sequence[Result]) -> list[Answer]:
    """The answers among runs; those of agents that optimise nothing are left out.

    Runs that failed count as answers to their problem where another run of their agent has such metrics.
    """
    optimisers = {result.agent for result in results if _variants(result) is not None}
    return [_answer(result) for result in results if result.agent in optimisers]


def fast_p(found: Sequence[Answer]) -> list[FastP]:
    """The answers as fractions, by agent."""
    agents = dict.fromkeys(answer.agent for answer in found)
    return [_summary(agent, [answer for answer in found if answer.agent == agent]) for agent in agents]


def fast_p_tables(summaries: Sequence[FastP]) -> list[TableBlock]:
    """A table per agent: fast_p against eager and against the fastest baseline, means, and failures by reason."""
    return [table for summary in summaries for table in _tables(summary)]


def _variants(result: Result) -> dict[str, _Variant] | None:
    """The variants by label, where a run's metrics hold such."""
    rows: Any = result.metrics.get("variants")
    if not isinstance(rows, list) or not rows or "best" not in result.metrics:
        return None
    try:
        variants = [_Variant.model_validate(row) for row in rows]
    except ValidationError:
        return None
    return {variant.label: variant for variant in variants}


def _answer(result: Result) -> Answer:
    case = result.case or str(result.config.get("case"))
    about: dict[str, Any] = {"agent": result.agent, "case": case, "seed": result.seed}
    variants = _variants(result)
    best = variants.get(str(result.metrics["best"])) if variants else None
    if best is None or not best.verified:
        reason = result.errors[0].message if result.errors else "nothing could be verified"
        return Answer(**about, correct=False, failure=reason)
    fastest, eager = best.speedup_vs_best_baseline, best.speedup_vs_eager
    why = None
    if fastest is None:
        degenerate = result.metrics.get("degenerate")
        why = f"degenerate: {degenerate} would pass" if degenerate else "no speed-up was measured"
    return Answer(**about, correct=True, vs_eager=eager, vs_fastest=fastest, failure=why)


def _summary(agent: str, found: Sequence[Answer]) -> FastP:
    correct = [answer for answer in found if answer.correct]
    reasons = [answer.failure for answer in found if answer.failure is not None]
    return FastP(
        agent=agent,
        problems=len(found),
        correct=len(correct),
        vs_eager=_fractions([answer.vs_eager for answer in correct], len(found)),
        vs_fastest=_fractions([answer.vs_fastest for answer in correct], len(found)),
        mean_vs_eager=geometric_mean([answer.vs_eager for answer in correct if answer.vs_eager is not None]),
        mean_vs_fastest=geometric_mean([answer.vs_fastest for answer in correct if answer.vs_fastest is not None]),
        failures={reason: reasons.count(reason) for reason in dict.fromkeys(reasons)},
    )


def _fractions(speedups: Sequence[float | None], problems: int) -> dict[str, float]:
    """Per threshold p, the fraction of problems with a right answer; beyond 0, it must be more than p times faster."""

    def passes(speedup: float | None, threshold: float) -> bool:
        return threshold == 0 or (speedup is not None and speedup > threshold)

    return {f"{p:g}": sum(passes(speedup, p) for speedup in speedups) / problems for p in THRESHOLDS}


def geometric_mean(values: Sequence[float]) -> float | None:
    """The geometric mean of positive numbers; None of none."""
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else None


def _tables(summary: FastP) -> list[TableBlock]:
    rows = []
    for name, fractions, mean in (
        ("eager", summary.vs_eager, summary.mean_vs_eager),
        ("fastest baseline", summary.vs_fastest, summary.mean_vs_fastest),
    ):
        shown = "" if mean is None else f"{format_number(mean)}\N{MULTIPLICATION SIGN}"
        rows.append([name, *(f"{fraction:.0%}" for fraction in fractions.values()), shown])
    tables = [
        TableBlock(
            title=f"fast_p of {summary.agent}",
            columns=["against", *(f"p = {p}" for p in summary.vs_eager), "geometric mean"],
            rows=rows,
            caption=f"{summary.correct} of {summary.problems} problems right (p = 0); others count as not faster",
        )
    ]
    if summary.failures:
        tables.append(
            TableBlock(
                title=f"Failures of {summary.agent}",
                columns=["reason", "problems"],
                rows=[[_short(reason), str(count)] for reason, count in summary.failures.items()],
            )
        )
    return tables


def _short(reason: str) -> str:
    return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 3]}..."
