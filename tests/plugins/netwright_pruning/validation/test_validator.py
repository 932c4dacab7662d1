"""The validator, on a target that is small enough to be reached in a test."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netwright_pruning.exceptions import ValidationError
from netwright_pruning.utils.metrics import compute_macs, compute_params
from netwright_pruning.validation import PUBLISHED, PaperReproductionValidator, PaperTarget

METHODS = ["magnitude_l2", "random"]


@pytest.fixture
def target() -> PaperTarget:
    """Half of timm's smallest ResNet."""
    import timm

    model = timm.create_model("test_resnet")
    return PaperTarget(
        name="half",
        model_name="test_resnet",
        macs=0.5 * compute_macs(model, (1, 3, 160, 160)),
        parameters=0.5 * compute_params(model),
        top_1=0.9,
        source="this test",
        model_source="this test",
    )


@pytest.mark.slow
@pytest.mark.usefixtures("project")
def test_structure_is_measured_without_imagenet(
    target: PaperTarget, quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMAGENET_PATH", raising=False)
    validator = PaperReproductionValidator({"pruner": quick}, output_dir=tmp_path / "out", targets=[target])
    found = validator.validate_all_targets(methods=METHODS, num_runs=2)
    assert list(found) == METHODS
    for method in METHODS:
        runs = found[method]["runs"]
        assert [run["seed"] for run in runs] == [0, 1]
        for run in runs:
            assert abs(run["macs_error"]) <= 0.01
            assert run["parameters_error"] == pytest.approx(run["parameters"] / target.parameters - 1)
            assert run["accuracy"] is None
            assert "datasets.imagenet.path" in run["not_measured"]

    analysis = validator.analyze_results()
    assert list(analysis) == ["summary", "method_comparison", "statistical_tests", "paper_reproduction"]
    assert analysis["summary"]["runs"] == 4
    assert analysis["summary"]["accuracy_measured"] == 0
    assert analysis["method_comparison"]["random"]["macs_error"]["n"] == 2
    test = analysis["statistical_tests"]["magnitude_l2 - random"]["parameters_error"]
    assert test["pairs"] == 2
    reached = analysis["paper_reproduction"]["half"]
    assert reached["published"]["source"] == "this test"
    assert reached["methods"]["random"]["accuracy"] == "not measured"
    assert json.loads((tmp_path / "out" / "analysis.json").read_text()) == json.loads(json.dumps(analysis))

    pytest.importorskip("matplotlib")
    plots = validator.generate_visualizations()
    assert list(plots) == ["success_rate", "accuracy_vs_macs", "convergence_time", "paper_reproduction"]
    for path in plots.values():
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.usefixtures("project")
def test_accuracy_is_measured_with_imagenet_and_weights_and_no_run_is_repeated(
    target: PaperTarget,
    imagenet: Path,
    checkpoint_of: Callable[..., Path],
    quick: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = {
        "datasets": {"imagenet": {"path": str(imagenet)}},
        "models": {"test_resnet": {"checkpoint": str(checkpoint_of("test_resnet"))}},
        "agents": {"fine_tuning_agent": {"epochs": 1}},
        "pruner": quick,
    }
    (run,) = PaperReproductionValidator(config, tmp_path / "out", targets=[target]).validate_all_targets(["random"], 1)[
        "random"
    ]["runs"]
    assert run["weights"] == "published"
    assert run["accuracy_difference"] == pytest.approx(run["accuracy"] - 0.9)
    assert run["accuracy_reached"] == (run["accuracy"] >= 0.895)

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a run was repeated")

    monkeypatch.setattr("netwright_pruning.pruner.run_job", fail)
    again = PaperReproductionValidator(config, tmp_path / "out", targets=[target]).validate_all_targets(["random"], 1)
    assert again["random"]["runs"] == [run]


def test_what_cannot_be_validated_is_said(tmp_path: Path) -> None:
    validator = PaperReproductionValidator({}, tmp_path)
    with pytest.raises(ValidationError, match=r"nothing was validated.*validate_all_targets first"):
        validator.analyze_results()
    with pytest.raises(ValidationError, match="did you mean 'taylor'"):
        validator.validate_all_targets(methods=["tailor"])
    with pytest.raises(ValidationError, match="nothing to validate"):
        validator.validate_all_targets(num_runs=0)
    (tmp_path / "validation.json").write_text("[{}]")
    with pytest.raises(ValidationError, match="damaged"):
        validator.generate_visualizations()


def test_every_target_names_its_source_and_a_model_of_timm() -> None:
    import timm

    assert len({target.name for target in PUBLISHED}) == len(PUBLISHED)
    for target in PUBLISHED:
        assert target.source.endswith(f"row {target.name}")
        assert timm.is_model(target.model_name)
        assert 0 < target.top_1 < 1
