"""The report of a collection."""

from collections.abc import Callable
from typing import Any

from netwright.collect import Collection, Problem
from netwright.collect.aggregate import Group
from netwright.collect.page import collection_page

HOSTILE = "<script>alert(1)</script>"


def group(label: str, mean: float | None) -> Group:
    return Group(
        case="digits_cnn",
        agent="pruner",
        settings={"agent.macs": "0.3"},
        label=label,
        metric="speedup",
        stage=None,
        unit="",
        seeds=[0, 1],
        mean=mean,
        standard_error=0.1,
        not_measured=[] if mean else ["no clock"],
    )


def collection(*groups: Group, problems: tuple[Problem, ...] = ()) -> Collection:
    return Collection(
        name="sweep", runs=4, varying=["agent.macs"], metrics=["speedup"], groups=list(groups), problems=list(problems)
    )


def test_a_page_compares_and_lists_problems(read_page: Callable[[str], Any]) -> None:
    failed = Problem(kind="failed", folder="seed=3", message="out of memory")
    page = read_page(collection_page(collection(group("a", 1.0), group("b", 2.0), problems=(failed,))))
    for words in ("sweep", "4 runs collected", "1 failed", "agent.macs", "★ 2.00 ± 0.10", "seed=3", "out of memory"):
        assert words in page.text
    assert not page.all("script")


def test_what_was_not_measured_is_said(read_page: Callable[[str], Any]) -> None:
    assert "not measured: speedup: no clock" in read_page(collection_page(collection(group("a", None)))).text


def test_nothing_collected_is_a_page_too(read_page: Callable[[str], Any]) -> None:
    assert "sweep" in read_page(collection_page(collection())).text


def test_no_text_of_a_users_becomes_markup(read_page: Callable[[str], Any]) -> None:
    failed = Problem(kind="failed", folder=HOSTILE, message=HOSTILE)
    page = read_page(collection_page(collection(group(HOSTILE, 1.0), group("b", 2.0), problems=(failed,))))
    assert not page.all("script")


def test_the_same_collection_gives_the_same_text() -> None:
    one = collection(group("a", 1.0), group("b", 2.0))
    assert collection_page(one) == collection_page(one)
