"""Budgets and approval as settings."""

import pytest

from netwright.config import parse_config
from netwright.errors import UserError
from netwright.workflow import Budgets, WorkflowSettings


def test_the_tighter_limits_apply() -> None:
    both = Budgets(steps=5, money=1.0).within(Budgets(steps=3, seconds=9.0, money=2.0))
    assert both == Budgets(steps=3, seconds=9.0, money=1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"approve": "maybe"}, "workflow.approve"),
        ({"budgets": {"steps": -1}}, "workflow.budgets.steps"),
        ({"budgets": {"step": 1}}, "unknown key 'workflow.budgets.step'; did you mean 'steps'"),
    ],
)
def test_wrong_settings_are_named_in_full(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_config(WorkflowSettings, values, path="workflow")
