"""The baseline `multi_agent` where it cannot do what it is for."""

from pathlib import Path

import pytest
from torch import nn

from netwright.agent import Job
from netwright.cases import Inputs
from netwright.context import RunContext
from netwright.errors import NetwrightError, UserError
from netwright_pruning import Budget, BudgetConfig, PrunerConfig, load_method, prune_to_budget
from netwright_pruning.multi_agent import MultiAgentPruning
from netwright_pruning.subject import prepare_subject


def test_outside_a_comparison_it_scores_channels(residual: nn.Module, images: Inputs) -> None:
    ours = prune_to_budget(residual, images, Budget("macs", 0.5), load_method("multi_agent"), seed=0)
    taylor = prune_to_budget(residual, images, Budget("macs", 0.5), load_method("taylor"), seed=0)
    assert ours.widths == taylor.widths


def test_a_wrong_option_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"baseline_options\.multi_agent\.max_iteration'.*max_iterations"):
        load_method("multi_agent", {"max_iteration": 3})


def test_where_no_strategy_works_it_says_why(fake_case: str, run_context: RunContext, tmp_path: Path) -> None:
    job, config = Job(case=fake_case, seed=0), PrunerConfig(budget=BudgetConfig(macs=0.3), round_to=1)
    subject = prepare_subject(job, config, tmp_path / "training")
    method = MultiAgentPruning(criteria=["magnitude_l2"], safety_limits={"max_layer_pruning": 0.25})
    with pytest.raises(NetwrightError, match=r"no strategy of the agents worked; the budget of .* cannot be met"):
        method.conduct("multi_agent", subject, job, config, tmp_path / "trial")
    assert run_context.folder is not None
    assert (run_context.folder.workflow / "pruning.json").exists()


def test_a_target_past_the_safety_limit_is_refused(fake_case: str, run_context: RunContext, tmp_path: Path) -> None:
    job, config = Job(case=fake_case, seed=0), PrunerConfig(budget=BudgetConfig(macs=0.3), round_to=1)
    subject = prepare_subject(job, config, tmp_path / "training")
    method = MultiAgentPruning(safety_limits={"max_macs_pruning": 0.5})
    with pytest.raises(UserError, match=r"target_ratio 0\.7 is past the safety limit of 0\.500"):
        method.conduct("multi_agent", subject, job, config, tmp_path / "trial")
    assert run_context.folder is not None
