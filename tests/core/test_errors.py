"""Errors as one line: what, why, remedy."""

import pytest

from netwright.errors import MissingDependencyError, NetwrightError, UserError, nearest, unknown_name


def test_the_message_joins_the_parts_that_there_are() -> None:
    assert str(NetwrightError("it failed", why="no room", remedy="make some")) == "it failed; no room; make some"
    assert str(NetwrightError("it failed", remedy="try again")) == "it failed; try again"
    assert str(NetwrightError("it failed")) == "it failed"


@pytest.mark.parametrize(("kind", "code"), [(NetwrightError, 1), (UserError, 2), (MissingDependencyError, 2)])
def test_exit_codes_tell_failed_work_from_wrong_input(kind: type[NetwrightError], code: int) -> None:
    assert kind("x").exit_code == code


def test_the_nearest_name_is_close_or_none() -> None:
    assert nearest("magnitud_l2", ["magnitude_l1", "magnitude_l2", "taylor"]) == "magnitude_l2"
    assert nearest("zzz", ["magnitude_l1", "taylor"]) is None
    assert nearest("x", []) is None


def test_an_unknown_name_shows_the_nearest() -> None:
    error = unknown_name("agent", "prunr", ["pruner", "benchmark"], listing="netwright agents")
    assert str(error) == "no agent named 'prunr'; did you mean 'pruner'? (netwright agents shows all)"


def test_an_unknown_name_without_a_near_one_lists_all() -> None:
    assert str(unknown_name("agent", "zzz", ["pruner", "bench"])) == "no agent named 'zzz'; known: bench, pruner"
    assert str(unknown_name("agent", "zzz", [])) == "no agent named 'zzz'; known: none"


def test_an_unknown_name_among_very_many_lists_some_and_counts_the_rest() -> None:
    message = str(unknown_name("model", "zzz", [f"net_{number:04}" for number in range(1234)]))
    assert message.startswith("no model named 'zzz'; known: net_0000, net_0001, ")
    assert message.endswith("net_0019 and 1,214 more")
