"""The portfolio: labels, and which candidates are worth a verification."""

from pathlib import Path

from netwright_fusion.portfolio import Candidate, choose_finalists, is_heavy, label_of
from netwright_fusion.trial import TrialRow


def rows(**medians: float | None) -> dict[str, TrialRow]:
    return {
        label: TrialRow(label=label, median_ms=median, failed=None if median is not None else "it raised")
        for label, median in medians.items()
    }


def candidates(**executions: str) -> list[Candidate]:
    return [
        Candidate(label=label, kind="rewritten", execution=execution, path="optimized.py")
        for label, execution in executions.items()
    ]


A, B, C = candidates(a="eager", b="compiled", c="frozen")


def test_what_a_model_wrote_runs_in_a_cage() -> None:
    written = A.model_copy(update={"kind": "written"})
    assert [each.variant(Path()).confined for each in (A, written)] == [False, True]


def test_finalists_are_the_fastest_and_what_comes_close() -> None:
    tried = rows(eager=10.0, compiled=9.0, a=5.15, b=5.0, c=6.0)
    assert choose_finalists(tried, [A, B, C], ["eager", "compiled"], 2) == ["b", "a"]
    assert choose_finalists(tried, [A, B, C], ["eager", "compiled"], 1) == ["b"]
    assert choose_finalists(tried, [B, C], ["eager", "compiled"], 2) == ["b"]


def test_of_equally_fast_ones_the_simplest_leads() -> None:
    assert choose_finalists(rows(eager=10.0, a=5.05, b=5.0, c=5.01), [A, B, C], ["eager"], 2) == ["a", "b"]


def test_what_is_hopelessly_slower_than_a_baseline_is_no_finalist() -> None:
    tried = rows(eager=10.0, compiled=5.0, a=5.1, b=5.2)
    assert choose_finalists(tried, [A, B], ["eager", "compiled"], 2) == ["a"]
    assert choose_finalists(tried, [B], ["eager", "compiled"], 2) == []
    assert choose_finalists(tried, [A], ["eager", "compiled"], 2, least_gain=1.02) == []


def test_what_was_fast_in_calls_gets_a_chance_where_rounds_were_disturbed() -> None:
    tried = rows(eager=10.0, compiled=1.0, a=2.5)
    calls = {"eager": 2.0, "compiled": 5.0, "a": 0.5}
    tried = {label: row.model_copy(update={"call_ms": calls[label]}) for label, row in tried.items()}
    assert choose_finalists(tried, [A, B], ["eager", "compiled"], 1) == ["a"]


def test_what_failed_or_was_not_tried_is_no_finalist() -> None:
    tried = rows(eager=10.0, a=None, b=8.0)
    assert choose_finalists(tried, [A, B, C], ["eager"], 2) == ["b"]


def test_labels_are_words() -> None:
    assert label_of("rewritten", "frozen max-autotune") == "rewritten_frozen_max_autotune"


def test_slow_compilers_make_a_case_heavy() -> None:
    quick = TrialRow(label="a", median_ms=1.0, first_call_s=2.0)
    assert not is_heavy({"a": quick, "b": TrialRow(label="b", failed="it raised")})
    assert is_heavy({"a": quick, "b": TrialRow(label="b", median_ms=1.0, first_call_s=40.0)})
