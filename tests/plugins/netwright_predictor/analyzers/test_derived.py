"""Derived formulas: fitted to counts, held against others, kept for the next run, and measured where there is none."""

from collections import Counter
from collections.abc import Callable
from math import ceil
from pathlib import Path

import pytest
from torch import nn

from netwright_predictor.analyzers import derived
from netwright_predictor.analyzers.analyzer import Site
from netwright_predictor.analyzers.derived import Deriver, Measured, fit_formula
from netwright_predictor.analyzers.formula_cache import FormulaCache
from netwright_predictor.expression import Expression
from netwright_predictor.tracing.flow import Flow, read_flows
from netwright_predictor.tracing.further import FurtherTraces
from netwright_predictor.tracing.sizes import Sizes
from netwright_predictor.tracing.trace import Call, Trace

SEEN = [Sizes(batch=2, sequence=7), Sizes(batch=3, sequence=11), Sizes(batch=5, sequence=13)]
MORE = [Sizes(batch=b, sequence=s) for b, s in ((1, 1), (4, 67), (2, 20), (7, 130), (3, 33), (1, 5), (4, 301), (2, 64))]
MODULE = nn.Identity()
SITE = Site("layer", MODULE, Flow({}, (), ()), {"chunk_size": 16})


def counted(count: Callable[[int, int], int]) -> tuple[list[Sizes], list[int]]:
    sizes = SEEN + MORE
    return sizes, [count(each.batch, each.sequence) for each in sizes]


def traces_of(count: Callable[[int, int], int], asked: list[Sizes]) -> FurtherTraces:
    """As if a model had been traced whose one layer counts so; what is asked for is noted."""

    def take(sizes: Sizes) -> Trace:
        call = Call({}, flops=Counter({"aten.mm": count(sizes.batch, sizes.sequence)}))
        return Trace(sizes, {"layer": [call]}, {})

    def note(sizes: Sizes) -> Trace:
        asked.append(sizes)
        return take(sizes)

    return FurtherTraces(read_flows([take(each) for each in SEEN]), "prefill", note)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (lambda b, s: 12 * b * s, "12*B*S"),
        (lambda b, s: 4 * b * s * s + 7 * b, "4*B*S**2 + 7*B"),
        (lambda _, s: 3 * s * s, "3*S**2"),
        (lambda b, s: b * s * (s + 1) // 2, "(1/2)*B*S**2 + (1/2)*B*S"),
        (lambda *_: 9, "9"),
    ],
)
def test_polynomials_are_found_with_whole_and_broken_coefficients(count: Callable[[int, int], int], text: str) -> None:
    found = fit_formula(*counted(count))
    assert found is not None
    assert {part.strip() for part in str(found.formula).split("+")} == {part.strip() for part in text.split("+")}
    assert found.checked
    assert found.formula({"B": 6, "S": 999}) == count(6, 999)


def test_work_in_padded_chunks_is_found_by_the_chunk() -> None:
    def count(batch: int, length: int) -> int:
        return batch * ceil(length / 16) * 16 * 16 * 8

    assert fit_formula(*counted(count)) is None
    found = fit_formula(*counted(count), pieces=(8, 16))
    assert found is not None
    assert "ceil(S/16)" in str(found.formula)
    assert found.formula({"B": 3, "S": 1000}) == count(3, 1000)


def test_a_formula_of_long_sequences_says_where_it_holds() -> None:
    def count(batch: int, length: int) -> int:
        return batch * length * (64 if length >= 20 else length)

    found = fit_formula(*counted(count))
    assert found is not None
    assert found.holds == "where S >= 20"
    assert found.formula({"B": 2, "S": 500}) == count(2, 500)


def test_counts_without_a_rule_have_no_formula() -> None:
    assert fit_formula(*counted(lambda b, s: b * (s * 7919 % 101))) is None


def test_a_formula_that_three_traces_suggest_is_refused_by_further_ones(tmp_path: Path) -> None:
    """A layer that is quadratic up to 16 tokens and linear from there looks quadratic in all first traces."""
    asked: list[Sizes] = []
    traces = traces_of(lambda b, s: b * s * min(s, 16), asked)
    found = Deriver(traces, FormulaCache(tmp_path)).derive(SITE, 0)
    assert found is not None
    assert found.holds
    assert found.formula({"B": 2, "S": 400}) == 2 * 400 * 16
    assert Sizes(batch=1, sequence=1) in asked


def test_a_formula_is_kept_for_the_next_run_and_held_against_its_counts(tmp_path: Path) -> None:
    asked: list[Sizes] = []
    first = Deriver(traces_of(lambda b, s: 6 * b * s, asked), FormulaCache(tmp_path)).derive(SITE, 0)
    assert first is not None
    assert asked

    again: list[Sizes] = []
    second = Deriver(traces_of(lambda b, s: 6 * b * s, again), FormulaCache(tmp_path)).derive(SITE, 0)
    assert second is not None
    assert (second.found, again, str(second.formula)) == ("from an earlier run", [], str(first.formula))

    other = Deriver(traces_of(lambda b, s: 8 * b * s, []), FormulaCache(tmp_path)).derive(SITE, 0)
    assert other is not None
    assert other.formula({"B": 1, "S": 1}) == 8


def test_a_broken_entry_of_the_cache_is_as_good_as_none(tmp_path: Path) -> None:
    cache = FormulaCache(tmp_path)
    Deriver(traces_of(lambda b, s: 6 * b * s, []), cache).derive(SITE, 0)
    for file in tmp_path.iterdir():
        file.write_text('{"formula": "__import__(1)", "checked": [], "holds": ""}')
    found = Deriver(traces_of(lambda b, s: 6 * b * s, []), cache).derive(SITE, 0)
    assert found is not None
    assert found.formula({"B": 1, "S": 10}) == 60


@pytest.mark.parametrize(("proposal", "accepted"), [("B*S*7919", False), ("B*max(S, 50)*S//50", True), (None, False)])
def test_a_proposal_is_accepted_only_if_it_gives_all_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proposal: str | None, accepted: bool
) -> None:
    monkeypatch.setattr(derived, "propose", lambda *_: Expression(proposal) if proposal else None)
    traces = traces_of(lambda b, s: b * max(s, 50) * s // 50, [])
    found = Deriver(traces, FormulaCache(tmp_path)).derive(SITE, 0)
    assert (found is not None and found.found == "proposed by a model") == accepted


def test_what_follows_no_formula_is_counted_at_the_sizes_asked_for() -> None:
    asked: list[Sizes] = []
    measured = Measured(traces_of(lambda b, s: b * (s * 7919 % 101), asked), "layer", None)
    assert measured({"B": 2, "S": 1000, "C": 0, "E": 0}) == 2 * (1000 * 7919 % 101)
    assert measured({"B": 2, "S": 1000, "C": 0, "E": 0}) == 2 * (1000 * 7919 % 101)
    assert asked == [Sizes(batch=2, sequence=1000)]
