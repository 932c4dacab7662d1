"""Composition with Hydra: plugins' configs are found, and whatever Hydra complains of ends as one clear line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from netwright.compose import compose
from netwright.errors import UserError
from netwright.registry import Registry

RegisterPlugin = Callable[..., Registry]


def test_defaults_hold_nothing_of_the_quickstart() -> None:
    values = compose([])
    assert values["agent"]["name"] == "pruner"
    assert values["baseline"] is None
    assert values["case"] is None


def test_open_nodes_take_mappings() -> None:
    values = compose(["agent=benchmark", "case_options.constants={M: 4, shape: [1, 2]}"])
    assert values["case_options"]["constants"] == {"M": 4, "shape": [1, 2]}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["agent=prunner"], "no agent named 'prunner'; did you mean 'pruner'?"),
        (["experiment=quikstart"], "no experiment named 'quikstart'; did you mean 'quickstart'?"),
        (["sed=1"], "unknown key 'sed'; did you mean 'seed'?"),
        (["case_options.devise=cpu"], "unknown key 'case_options.devise'; did you mean 'case_options.device'?"),
        (["agent=benchmark", "agent.metrcs=[macs]"], "unknown key 'agent.metrcs'; did you mean 'agent.metrics'?"),
        (["llm=gpt-4o"], "a model is named beside it: llm=litellm llm.model=PROVIDER/MODEL"),
        (["launch=slrum"], "no launch named 'slrum'; did you mean 'slurm'?"),
        (["case=[a"], "cannot read the override 'case=[a'"),
        (["seed=1,2"], "to sweep over several values, add -m"),
        (["baseline=taylor,lamp"], "write a list as [a,b]"),
        (["agent.budget.macs=0.3"], "'agent.budget' is null; give it whole: 'agent.budget={macs: 0.3}'"),
        (["agent.train.optimizer.lr=0.1", "agent.train.epochs=2"], "'agent.train={optimizer: {lr: 0.1}}'"),
    ],
)
def test_bad_overrides_are_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        compose(overrides)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_plugin_configs_are_on_the_search_path(register_plugin: RegisterPlugin, tmp_path: Path) -> None:
    (tmp_path / "conf" / "agent").mkdir(parents=True)
    (tmp_path / "conf" / "agent" / "dial.yaml").write_text("name: dial\nlevel: 3\n")
    register_plugin("")
    assert compose(["agent=dial", "agent.level=4"])["agent"] == {"name": "dial", "level": 4}


def test_own_config_dir_is_searched_first(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 7\n")
    assert compose(["experiment=mine"], config_dir=tmp_path)["seed"] == 7
