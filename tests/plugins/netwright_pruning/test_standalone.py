"""Methods by themselves: the seed's baselines and a method of one's own, from a name to a pruned and judged model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from netwright_pruning.baselines import BasePruningMethod, IsomorphicOriginal, MagnitudePruning, TaylorPruning
from netwright_pruning.exceptions import ConfigurationError, PruningError


class CustomPruningMethod(BasePruningMethod):
    """The seed's example."""

    def __init__(self, custom_param=1.0):  # type: ignore[no-untyped-def]
        super().__init__()
        self.custom_param = custom_param

    def prune_to_target_macs(self, model_name: str, target_macs: float, dataset: str) -> dict:  # type: ignore[type-arg]
        # Custom pruning implementation
        model = self.load_model(model_name)

        # Apply custom pruning logic
        pruned_model = self.apply_custom_pruning(model, target_macs)

        # Fine-tune and evaluate
        final_accuracy = self.fine_tune_and_evaluate(pruned_model, dataset)

        return {
            "final_accuracy": final_accuracy,
            "final_macs": self.compute_macs(pruned_model),
            "method": "custom_method",
        }


@pytest.fixture
def experiment(imagenet: Path, checkpoint_of: Callable[..., Path]) -> dict[str, Any]:
    """ImageNet's folder, and a local checkpoint for it."""
    weights = checkpoint_of("test_vit", img_size=32, num_classes=3)
    return {
        "datasets": {"imagenet": {"path": str(imagenet)}},
        "models": {"test_vit": {"checkpoint": str(weights), "constants": {"image_size": 32}}},
        "agents": {"fine_tuning_agent": {"epochs": 1}},
        "pruner": {"round_to": 1},
    }


@pytest.mark.usefixtures("project")
def test_the_seeds_method_of_ones_own_runs(experiment: dict[str, Any]) -> None:
    method = CustomPruningMethod().configure(experiment)
    before = method.compute_macs(method.load_model("test_vit"))
    result = method.prune_to_target_macs("test_vit", 0.6 * before, "imagenet")
    assert result.keys() == {"final_accuracy", "final_macs", "method"}
    assert result["final_macs"] == pytest.approx(0.6 * before, rel=0.01)
    assert 0 <= result["final_accuracy"] <= 1
    assert result["method"] == "custom_method"


def test_methods_are_called_as_baselines_are() -> None:
    methods = (MagnitudePruning(criterion="l1"), MagnitudePruning(), TaylorPruning(), IsomorphicOriginal())
    assert [m.method_name for m in methods] == ["magnitude_l1", "magnitude_l2", "taylor", "isomorphic_original"]


@pytest.mark.usefixtures("project")
def test_a_method_that_needs_gradients_reaches_the_target(experiment: dict[str, Any]) -> None:
    method = IsomorphicOriginal().configure(experiment)
    before = method.compute_macs(method.load_model("test_vit"))
    result = method.prune_to_target_macs(model_name="test_vit", target_macs=0.5 * before, dataset="imagenet")
    assert result["method"] == "isomorphic_original"
    assert result["final_macs"] == pytest.approx(0.5 * before, rel=0.01)
    assert result["macs_reduction"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.usefixtures("project")
def test_the_environment_names_the_experiment(
    experiment: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yaml

    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    monkeypatch.setenv("NETWRIGHT_EXPERIMENT", str(tmp_path / "experiment.yaml"))
    model = TaylorPruning().load_model("test_vit")
    assert model(torch.rand(1, 3, 32, 32)).shape == (1, 3)


@pytest.mark.usefixtures("project")
def test_what_is_missing_is_named(experiment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGENET_PATH", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigurationError, match=r"needs a folder; set datasets\.imagenet\.path"):
        TaylorPruning().configure({}).load_model("test_vit", "imagenet")
    method = TaylorPruning().configure(experiment)
    with pytest.raises(PruningError, match=r"target_macs cannot be 0\.5"):
        method.apply(nn.Linear(3, 4), 0.5)
    with pytest.raises(PruningError, match="no model named 'test_vitt'"):
        method.load_model("test_vitt")
