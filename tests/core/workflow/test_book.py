"""The book: sums per node, and loops that are recognised by their state."""

from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.workflow.book import TRAIL, Book, Meter, Visit, read_book, visit_of


def book_of(visits: list[Visit]) -> Book:
    book = Book()
    for visit in visits:
        book = book.after(visit, took=0.5, seconds=1.0, money=0.25)
    return book


def test_sums_are_per_node_and_in_all() -> None:
    book = book_of([visit_of("a", "1"), visit_of("b", "2"), visit_of("a", "3")])
    assert (book.steps, book.seconds, book.money) == (3, 3.0, 0.75)
    assert book.visits == {"a": 2, "b": 1}
    assert book.node_seconds == {"a": 1.0, "b": 0.5}
    assert read_book(book.model_dump_json()) == book


def test_a_loop_is_named_from_its_last_beginning() -> None:
    book = book_of([visit_of("a", "1"), visit_of("b", "1"), visit_of("c", "2")])
    assert book.loop_at(visit_of("b", "1")) == ["b", "c"]
    assert book.loop_at(visit_of("b", "2")) == []


@settings(max_examples=30)
@given(st.integers(1, TRAIL), st.integers(0, 300))
def test_any_loop_within_the_trail_is_seen_at_its_first_return(period: int, lead: int) -> None:
    book = Book(trail=[visit_of("n", f"lead {index}") for index in range(lead)][-TRAIL:])
    for index in range(period):
        visit = visit_of("n", str(index))
        assert book.loop_at(visit) == []
        book = book.after(visit, took=0, seconds=0, money=0)
    assert len(book.loop_at(visit_of("n", "0"))) == period


def test_meter_reads_what_was_spent_since() -> None:
    total = iter([3.0, 5.0, 5.5])
    meter = Meter(lambda: next(total))
    assert meter.read()[1] == 2.0
    assert meter.read()[1] == 0.5
