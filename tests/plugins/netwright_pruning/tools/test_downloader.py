"""Fetching published weights; the network is stood in for."""

from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from netwright.errors import UserError
from netwright_pruning.tools import ModelDownloader
from netwright_pruning.utils.models import SHORT_NAMES, model_case
from netwright_pruning.weights import load_weights


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A hub that has ResNet-50's weights (of a narrow stand-in) and nothing else."""
    asked: list[str] = []

    def create_model(name: str, *, pretrained: bool) -> nn.Module:
        asked.append(name)
        assert pretrained
        if name != "resnet50":
            raise OSError("cannot reach the hub")
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))

    monkeypatch.setattr(timm, "create_model", create_model)
    return asked


@pytest.mark.parametrize("parallel", [True, False])
def test_what_cannot_be_had_hides_nothing_else(parallel: bool, hub: list[str], tmp_path: Path) -> None:
    downloader = ModelDownloader(num_workers=4, cache_dir=tmp_path)
    results = downloader.download_models(["deit_small", "resnet50", "convnext_tiny", "no_such_net"], parallel=parallel)
    assert list(results) == ["deit_small", "resnet50", "convnext_tiny", "no_such_net"]
    assert results["resnet50"]["success"]
    assert not results["resnet50"]["cached"]
    assert results["resnet50"].parameters == 4 * 27 + 4 + 4 * 4 + 1
    assert "deit_small_patch16_224 cannot be had" in str(results["deit_small"].error)
    assert "models.NAME.checkpoint" in str(results["convnext_tiny"].error)
    assert "no model named 'no_such_net'" in str(results["no_such_net"].error)
    assert sorted(hub) == ["convnext_tiny", "deit_small_patch16_224", "resnet50"]


def test_what_was_fetched_is_kept(hub: list[str], tmp_path: Path) -> None:
    path = ModelDownloader(cache_dir=tmp_path).download("resnet50")
    assert ModelDownloader(cache_dir=tmp_path).download_models(["resnet50"])["resnet50"].cached
    assert hub == ["resnet50"]
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    assert load_weights(model, path) == []


def test_short_names_are_models_of_timm() -> None:
    assert model_case("deit_small") == "timm:deit_small_patch16_224"
    assert model_case("convnext_tiny") == "timm:convnext_tiny"
    assert model_case("torchvision:resnet50") == "torchvision:resnet50"
    assert model_case("digits_cnn") == "digits_cnn"
    assert [name for name in SHORT_NAMES.values() if not timm.is_model(name)] == []
    with pytest.raises(UserError, match="no model named 'resnet_50'; did you mean"):
        model_case("resnet_50")


def test_a_case_without_published_weights_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no published weights of case 'digits_cnn'"):
        ModelDownloader(cache_dir=tmp_path).download("digits_cnn")


def test_without_a_network_the_hub_is_not_tried_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    seen: list[bool] = []

    def create_model(*_: object, **__: object) -> nn.Module:
        seen.append(constants.HF_HUB_OFFLINE)
        raise OSError("not in the cache")

    def fail(*_: object) -> list[object]:
        raise OSError("name or service not known")

    monkeypatch.setattr(timm, "create_model", create_model)
    monkeypatch.setattr("netwright_pruning.tools.downloader.getproxies", dict)
    monkeypatch.setattr("netwright_pruning.tools.downloader.socket.getaddrinfo", fail)
    before = constants.HF_HUB_OFFLINE
    results = ModelDownloader(num_workers=3, cache_dir=tmp_path).download_models(["resnet18", "resnet34", "resnet50"])
    assert not any(download.success for download in results.values())
    assert seen == [True] * 3
    assert before == constants.HF_HUB_OFFLINE
