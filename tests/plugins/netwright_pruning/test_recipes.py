"""Training recipes: the case's own, the user's changes, and the fine-tuning that follows."""

from collections.abc import Mapping
from typing import Any

import pytest
from torch import nn

from netwright.cases import Case, CaseOptions, Inputs
from netwright.errors import UserError
from netwright_pruning import PrunerConfig
from netwright_pruning.merging import merge
from netwright_pruning.recipes import fine_tune_recipe, train_recipe


def case(train: Mapping[str, Any] | None) -> Case:
    return Case(
        name="case",
        description="",
        build=nn.Identity,
        draw_inputs=lambda _seed, _distribution: Inputs(),
        mode="eval",
        options=CaseOptions(),
        train=train,
    )


OWN = {"epochs": 10, "optimizer": {"name": "sgd", "lr": 0.3}, "scheduler": {"warmup_epochs": 2}}


def test_the_users_changes_go_into_the_cases_recipe() -> None:
    recipe = train_recipe(case(OWN), PrunerConfig(train={"optimizer": {"lr": 0.1}}))
    assert recipe is not None
    assert (recipe.epochs, recipe.optimizer.name, recipe.optimizer.lr) == (10, "sgd", 0.1)


def test_it_runs_where_the_case_does_unless_told_otherwise() -> None:
    recipes = train_recipe(case(OWN), PrunerConfig()), train_recipe(case({**OWN, "device": "auto"}), PrunerConfig())
    assert [recipe.device for recipe in recipes if recipe] == ["cpu", "auto"]


def test_fine_tuning_is_a_fifth_at_a_third_without_warm_up() -> None:
    config = PrunerConfig()
    recipe = fine_tune_recipe(case(OWN), config, train_recipe(case(OWN), config))
    assert recipe is not None
    assert recipe.epochs == 2
    assert recipe.optimizer.lr == pytest.approx(0.1)
    assert recipe.optimizer.name == "sgd"
    assert recipe.scheduler.warmup_epochs == 0


def test_fine_tuning_can_be_changed() -> None:
    config = PrunerConfig(fine_tune={"epochs": 7})
    recipe = fine_tune_recipe(case(OWN), config, train_recipe(case(OWN), config))
    assert recipe is not None
    assert recipe.epochs == 7
    assert recipe.optimizer.lr == pytest.approx(0.1)


def test_without_a_recipe_nothing_is_trained() -> None:
    assert train_recipe(case(None), PrunerConfig()) is None
    assert fine_tune_recipe(case(None), PrunerConfig(), None) is None


def test_a_fine_tuning_of_its_own_needs_no_training() -> None:
    recipe = fine_tune_recipe(case(None), PrunerConfig(fine_tune={"epochs": 4}), None)
    assert recipe is not None
    assert recipe.epochs == 4


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (PrunerConfig(train={"epoch": 3}), "agent.train.epoch"),
        (PrunerConfig(fine_tune={"optimizer": {"rate": 3}}), "agent.fine_tune.optimizer.rate"),
    ],
)
def test_a_wrong_setting_is_said_with_its_key(config: PrunerConfig, key: str) -> None:
    with pytest.raises(UserError, match=f"unknown key '{key}'"):
        fine_tune_recipe(case(OWN), config, train_recipe(case(OWN), config))


def test_a_wrong_setting_of_the_case_is_not_blamed_on_the_user() -> None:
    with pytest.raises(UserError, match=r"unknown key 'train\.epoch'"):
        train_recipe(case({"epoch": 3}), PrunerConfig())


def test_mappings_are_merged_key_by_key_and_nothing_else() -> None:
    base = {"a": {"b": 1, "c": [1]}, "d": 2}
    assert merge(base, {"a": {"c": [2]}, "d": {"e": 3}}) == {"a": {"b": 1, "c": [2]}, "d": {"e": 3}}
    assert base == {"a": {"b": 1, "c": [1]}, "d": 2}
