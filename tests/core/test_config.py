"""Typed configuration and the errors that name its keys."""

from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError

from netwright.config import Config, parse_config
from netwright.errors import UserError


class Budget(Config):
    macs: float | None = Field(default=None, gt=0, lt=1)
    parameters: int | None = None


class Recipe(Config):
    """A recipe."""

    epochs: int = 3
    """How often the data are seen."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    budget: Budget = Budget()
    budgets: list[Budget] = []
    named: dict[str, Budget] = {}


class Required(Config):
    name: str


def complaint(values: dict[str, Any], path: str = "") -> str:
    with pytest.raises(UserError) as caught:
        parse_config(Recipe, values, path=path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_good_values_become_an_object() -> None:
    recipe = parse_config(Recipe, {"epochs": 5, "budget": {"macs": 0.3}})
    assert recipe == Recipe(epochs=5, budget=Budget(macs=0.3))


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().epochs = 4  # type: ignore[misc]


def test_the_string_under_a_field_is_its_description() -> None:
    assert Recipe.model_fields["epochs"].description == "How often the data are seen."


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epoch": 1}, "unknown key 'agent.epoch'; did you mean 'epochs'?"),
        ({"zzz": 1}, "unknown key 'agent.zzz'; valid keys: budget, budgets, epochs, named, optimizer"),
        ({"budget": {"mac": 1}}, "unknown key 'agent.budget.mac'; did you mean 'macs'?"),
        ({"budgets": [{}, {"mac": 1}]}, "unknown key 'agent.budgets.1.mac'; did you mean 'macs'?"),
        ({"named": {"x": {"mac": 1}}}, "unknown key 'agent.named.x.mac'; did you mean 'macs'?"),
        ({"epochs": "many"}, "'agent.epochs' cannot be 'many'; input should be a valid integer"),
        ({"optimizer": "adam"}, "'agent.optimizer' cannot be 'adam'; input should be 'adamw' or 'sgd'"),
        ({"budget": {"macs": 1.5}}, "'agent.budget.macs' cannot be 1.5; input should be less than 1"),
        ({"budget": {"macs": float("nan")}}, "'agent.budget.macs' cannot be nan"),
    ],
)
def test_a_wrong_key_or_value_is_named_in_full(values: dict[str, Any], words: str) -> None:
    assert complaint(values, "agent").startswith(words)


def test_further_problems_are_counted() -> None:
    assert complaint({"epochs": "a", "optimizer": "b"}).endswith("(and 1 more)")


def test_an_unknown_key_comes_before_what_it_makes_missing() -> None:
    with pytest.raises(UserError, match=r"^unknown key 'nam'; did you mean 'name'\?"):
        parse_config(Required, {"nam": "x"})


def test_a_missing_key_says_so() -> None:
    with pytest.raises(UserError, match="'name' is missing"):
        parse_config(Required, {})
