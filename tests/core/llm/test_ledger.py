"""What is counted, and what the caps allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.llm.config import CapsConfig
from netwright.llm.errors import CapReachedError
from netwright.llm.ledger import Ledger
from netwright.llm.messages import Usage

USAGE = st.builds(
    Usage, prompt_tokens=st.integers(0, 100), answer_tokens=st.integers(0, 100), cost=st.none() | st.floats(0, 1)
)


@given(st.lists(USAGE, max_size=20), st.integers(0, 500))
def test_a_cap_on_tokens_is_exceeded_by_one_answer_at_most(usages: list[Usage], cap: int) -> None:
    ledger = Ledger(CapsConfig(calls=None, tokens=cap))
    for usage in usages:
        before = ledger.usage.tokens
        try:
            ledger.send()
        except CapReachedError:
            assert before >= cap
            break
        assert before < cap
        ledger.charge(usage, 0.0)


@given(st.lists(USAGE, max_size=20))
def test_sums(usages: list[Usage]) -> None:
    ledger = Ledger(CapsConfig())
    for usage in usages:
        ledger.charge(usage, 0.5)
    known = [usage.cost for usage in usages if usage.cost is not None]
    assert ledger.usage.tokens == sum(usage.tokens for usage in usages)
    assert ledger.money_spent == pytest.approx(sum(known))
    assert (ledger.usage.cost is None) == (len(known) < len(usages))
    assert ledger.seconds == 0.5 * len(usages)


def test_what_was_spent_before_counts_for_the_caps_but_not_for_this_process() -> None:
    ledger = Ledger(CapsConfig(calls=3, seconds=10), spent=[(Usage(cost=0.5), 4.0, 2)])
    assert (ledger.money_spent, ledger.seconds_left) == (0.0, 6.0)
    ledger.send()
    with pytest.raises(CapReachedError, match=r"llm\.caps\.calls is reached; it is 3 requests"):
        ledger.send()
