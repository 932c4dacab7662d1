"""The front door of the Python API, through the same agent as the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from netwright.errors import UserError
from netwright.runfolder import read_json_lines, read_result
from netwright_pruning import MultiAgentPruner, load_pruned
from netwright_pruning.assignment import assign, assign_structure
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
def test_agents_prune_and_what_they_find_out_is_kept_for_the_next_pruning(
    digits: dict[str, Any], tmp_path: Path
) -> None:
    precomputation = {
        "enabled": True,
        "cache_dir": str(tmp_path / "cache"),
        "model_analysis": {"enabled": True, "cache_duration": 7200},
        "importance_scores": {"enabled": True, "cache_duration": 3600},
    }
    agents = {"master_agent": {"max_iterations": 5, "convergence_threshold": 0.005}}
    pruner = MultiAgentPruner({**digits, "agents": agents, "experiment": {"seed": 3}, "precomputation": precomputation})

    def prune(folder: str) -> dict[str, Any]:
        return pruner.prune_model(
            "digits_cnn",
            "digits",
            0.5,
            output_dir=folder,
            max_iterations=1,
            enable_caching=False,
            train={"epochs": 1},
            fine_tune={"epochs": 1},
        )

    def kept() -> list[Path]:
        return sorted(path.relative_to(tmp_path / "cache") for path in (tmp_path / "cache").rglob("*.*"))

    first = prune("first")
    assert first["method"] == "multi_agent"
    assert first["params_reduction"] == pytest.approx(0.5, abs=0.01)
    assert first["convergence_iterations"] == 2  # one strategy, and its training
    config = read_result(Path("first")).config
    assert config["seed"] == 3
    options = config["baseline_options"]["multi_agent"]
    assert (options["max_iterations"], options["convergence_threshold"]) == (1, 0.005)
    found = kept()
    assert {path.parts[0] for path in found} == {"analysis", "scores"}
    again = prune("again")
    assert kept() == found
    assert (again["final_params"], again["final_accuracy"]) == (first["final_params"], first["final_accuracy"])


@pytest.mark.usefixtures("project")
def test_settings_of_agents_and_datasets_become_those_of_the_job(
    imagenet: Path, checkpoint_of: Callable[..., Path]
) -> None:
    config = {
        "agents": {
            "profiling_agent": {"safety_limits": {"max_mlp_pruning": 0.5}},
            "pruning_agent": {"memory_efficient": True, "tolerance": 0.02, "gradient_checkpointing": True},
            "fine_tuning_agent": {"optimizer": "sgd", "learning_rate": 0.01, "epochs": 3, "average_decay": 0.9},
        },
        "datasets": {
            "imagenet": {
                "path": str(imagenet),
                "batch_size": 4,
                "image_size": 32,
                "safety_limits": {"max_mlp_pruning": 0.15, "max_attention_pruning": 0.1, "max_overall_pruning": 0.6},
            }
        },
        "hardware": {"gpu": {"mixed_precision": True, "gradient_checkpointing": True}},
        "batch_processing": {"batches": 2, "batch_size": 32},
    }
    pruner = MultiAgentPruner(config)
    weights = checkpoint_of("test_vit", img_size=48)  # whose position table is resampled
    assignment = assign("test_vit", "imagenet", pruner.config, checkpoint=weights)
    job = pruner.job(assignment, {"parameters": 0.5}, ["multi_agent"], max_iterations=7)
    agent = job["agent"]
    assert job["case_options"]["constants"] == {"image_size": 32, "num_classes": 3}
    assert agent["calibration"] == {"batches": 8, "batch_size": 8}
    assert agent["tolerance"] == 0.02
    assert agent["limits"]["*mlp*"] == 0.15
    recipe = agent["fine_tune"]
    assert (recipe["batch_size"], recipe["epochs"], recipe["amp"]) == (4, 3, "bf16")
    assert recipe["optimizer"] == {"name": "sgd", "lr": 0.01}
    assert recipe["gradient_checkpointing"]
    options = job["baseline_options"]["multi_agent"]
    assert options["max_iterations"] == 7
    assert options["recovery"] == {"average_decay": 0.9}
    limits = options["safety_limits"]
    assert (limits["max_mlp_pruning"], limits["max_attention_pruning"]) == (0.15, 0.1)
    with pytest.raises(PruningError, match=r"0\.7 is unsafe; datasets\.imagenet\..*max_overall_pruning is 0\.6"):
        pruner.prune_model("test_vit", "imagenet", 0.7)


def test_a_key_in_the_experiment_makes_a_language_model_answer_and_is_written_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-test")
    pruner = MultiAgentPruner({"openai": {"api_key": "${OPENAI_API_KEY}"}})
    job = pruner.job(assign_structure("digits_cnn", pruner.config), {"parameters": 0.5}, ["taylor"])
    assert job["llm"] == {"backend": "litellm", "model": "openai/gpt-4o-mini", "api_key_variable": "OPENAI_API_KEY"}
    assert "sk-of-the-test" not in str(job)


@pytest.mark.slow
@pytest.mark.usefixtures("project", "no_latency")
def test_methods_are_compared_over_seeds_on_cifars_batches(
    small_cifar: Path, checkpoint_of: Callable[..., Path], quick: dict[str, Any]
) -> None:
    config = {
        "datasets": {"cifar10": {"path": str(small_cifar)}},
        "models": {"test_resnet": {"checkpoint": str(checkpoint_of("test_resnet", num_classes=10))}},
        "agents": {"fine_tuning_agent": {"epochs": 1}},
        "pruner": quick,
    }
    found = MultiAgentPruner(config).compare_methods(
        "test_resnet", "cifar10", 0.4, methods=["random", "magnitude_l1"], seeds=[0, 1], output_dir="comparison"
    )
    assert list(found) == ["random", "magnitude_l1"]
    for method in found.values():
        assert method["seeds"] == [0, 1]
        assert method["params_reduction"] == pytest.approx(0.4, abs=0.01)
        assert method["standard_error"]["final_accuracy"] is not None
    assert [method["against_best"] for method in found.values()].count(None) == 1
    page = Path("comparison/collected.html").read_text()
    assert "accuracy against macs" in page
    assert "On the Pareto front" in page


@pytest.mark.slow
@pytest.mark.usefixtures("project", "no_latency")
def test_a_pruning_that_was_interrupted_goes_on(digits: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    arguments: dict[str, Any] = {"train": {"epochs": 1}, "method": "magnitude_l2", "output_dir": "results"}

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    prune = MultiAgentPruner(digits).prune_model
    with monkeypatch.context() as patched:
        patched.setattr("netwright_pruning.agent.untimed", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prune("digits_cnn", "digits", 0.5, **arguments)
    assert prune("digits_cnn", "digits", 0.5, **arguments)["params_reduction"] == pytest.approx(0.5, abs=0.01)
    events = [event["event"] for event in read_json_lines(Path("results/events.jsonl"))]
    jobs = [event for event in events if event.startswith("job_")]
    assert jobs == ["job_started", "job_ended", "job_resumed", "job_ended"]
    assert not Path("results/earlier").exists()
