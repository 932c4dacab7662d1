"""The front door of the Python API, through the same agent as the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from netwright.errors import UserError
from netwright.runfolder import read_result
from netwright_pruning import MultiAgentPruner, load_pruned
from netwright_pruning.exceptions import ConfigurationError, PruningError

KEYS = {"final_accuracy", "params_reduction", "macs_reduction", "convergence_iterations", "total_time_minutes"}


@pytest.fixture
def digits(quick: dict[str, Any]) -> dict[str, Any]:
    return {"datasets": {"digits": {"limit": 150}}, "pruner": quick}


@pytest.mark.slow
@pytest.mark.usefixtures("project", "no_latency")
def test_a_model_is_pruned_by_name_and_kept(digits: dict[str, Any]) -> None:
    pruner = MultiAgentPruner(digits)
    arguments: dict[str, Any] = {"train": {"epochs": 2}, "method": "magnitude_l2", "output_dir": "results/digits"}
    result = pruner.prune_model("digits_cnn", "digits", 0.5, **arguments)
    assert result.keys() >= KEYS
    assert result["params_reduction"] == pytest.approx(0.5, abs=0.01)
    assert 0 < result["macs_reduction"] < 1
    assert 0 <= result["final_accuracy"] <= 1
    assert result["convergence_iterations"] == 1
    assert result["total_time_minutes"] > 0
    model = load_pruned(Path(result["model_path"]))
    assert sum(parameter.numel() for parameter in model.parameters()) == result["final_params"]
    assert read_result(Path("results/digits")).agent == "pruner"

    again = pruner.prune_model("digits_cnn", "digits", 0.5, enable_caching=True, **arguments)
    assert again["cached"]
    assert {key: again[key] for key in KEYS - {"total_time_minutes"}} == {
        key: result[key] for key in KEYS - {"total_time_minutes"}
    }
    pruner.prune_model("digits_cnn", "digits", 0.3, enable_caching=True, **arguments)
    assert read_result(Path("results/digits/earlier/1")).config["agent"]["budget"] == {"parameters": 0.5}


@pytest.mark.slow
@pytest.mark.usefixtures("project", "no_latency")
def test_methods_are_compared_on_a_folder_in_imagenets_layout_from_a_local_checkpoint(
    imagenet: Path, checkpoint_of: Callable[..., Path], quick: dict[str, Any]
) -> None:
    config = {
        "datasets": {"imagenet": {"path": str(imagenet), "image_size": 32}},
        "models": {"test_vit": {"checkpoint": str(checkpoint_of("test_vit", img_size=32))}},
        "agents": {"fine_tuning_agent": {"epochs": 1, "optimizer": "adamw", "scheduler": "cosine"}},
        "pruner": quick,
    }
    found = MultiAgentPruner(config).compare_methods("test_vit", "imagenet", 0.4, methods=["magnitude_l1", "taylor"])
    assert list(found) == ["magnitude_l1", "taylor"]
    for method, result in found.items():
        assert result["method"] == method
        assert result["params_reduction"] == pytest.approx(0.4, abs=0.01)
        assert 0 <= result["final_accuracy"] <= 1
    outputs = load_pruned(Path(found["taylor"]["model_path"]))(torch.rand(1, 3, 32, 32))
    assert outputs.shape == (1, 3)


@pytest.mark.usefixtures("project")
def test_absent_data_and_weights_name_the_setting(monkeypatch: pytest.MonkeyPatch, imagenet: Path) -> None:
    monkeypatch.delenv("IMAGENET_PATH", raising=False)
    pruner = MultiAgentPruner()
    with pytest.raises(ConfigurationError, match=r"needs a folder; set datasets\.imagenet\.path .*IMAGENET_PATH"):
        pruner.prune_model("test_vit", "imagenet", 0.5)
    with pytest.raises(ConfigurationError, match=r"'cifar10' is not under .*datasets\.cifar10\.path"):
        pruner.prune_model("test_vit", "cifar10", 0.5)
    monkeypatch.setenv("IMAGENET_PATH", str(imagenet))
    with pytest.raises(ConfigurationError, match=r"no checkpoint .*absent\.pt.*models\.test_vit\.checkpoint"):
        pruner.prune_model("test_vit", "imagenet", 0.5, checkpoint="absent.pt")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("ratio", [0.0, 1.0, -0.2, True, "half"])
def test_a_wrong_ratio_is_said(ratio: Any) -> None:
    with pytest.raises(PruningError, match="above 0 and below 1") as caught:
        MultiAgentPruner().prune_model("digits_cnn", "digits", ratio)
    assert caught.value.exit_code == 2


@pytest.mark.usefixtures("project")
def test_wrong_names_are_pruning_errors_with_the_nearest_name(digits: dict[str, Any]) -> None:
    pruner = MultiAgentPruner(digits)
    with pytest.raises(PruningError, match="did you mean 'digits'"):
        pruner.prune_model("digits_cnn", "digit", 0.5)
    with pytest.raises(PruningError, match="did you mean 'taylor'"):
        pruner.prune_model("digits_cnn", "digits", 0.5, method="tailor")
    with pytest.raises(PruningError, match=r"unknown key 'agent\.tolerence'; did you mean 'tolerance'"):
        pruner.prune_model("digits_cnn", "digits", 0.5, tolerence=0.1)
    with pytest.raises(PruningError, match="no methods to compare"):
        pruner.compare_methods("digits_cnn", "digits", 0.5, methods=[])


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        MultiAgentPruner(config_path=tmp_path / "absent.yaml")


@pytest.mark.slow
@pytest.mark.usefixtures("project", "no_latency")
def test_the_agents_prune_within_their_iterations(digits: dict[str, Any]) -> None:
    agents = {"master_agent": {"max_iterations": 5, "convergence_threshold": 0.005}}
    pruner = MultiAgentPruner({**digits, "agents": agents, "experiment": {"seed": 3}})
    result = pruner.prune_model("digits_cnn", "digits", 0.5, max_iterations=2, train={"epochs": 2}, output_dir="results")
    assert result["method"] == "multi_agent"
    assert result["params_reduction"] == pytest.approx(0.5, abs=0.01)
    assert 1 <= result["convergence_iterations"] <= 3  # two strategies, and the one that is trained
    config = read_result(Path("results")).config
    assert config["seed"] == 3
    assert config["baseline_options"]["multi_agent"]["max_iterations"] == 2
    assert config["baseline_options"]["multi_agent"]["convergence_threshold"] == 0.005
