"""Folder cases."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from netwright.cases import CaseOptions, load_case
from netwright.cases.folder import list_folder_cases
from netwright.cases.module import build_module, draw_inputs
from netwright.errors import UserError

MODEL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.linear = nn.Linear(3, width)

    def forward(self, x):
        return self.linear(x)


def initialise(module):
    nn.init.constant_(module.linear.weight, 0.5)


def NotAModule():
    pass
"""
MANIFEST: dict[str, Any] = {
    "description": "A test case",
    "model": {"class": "Net"},
    "inputs": {"args": [{"shape": [4, 3]}]},
}


def make(folder: Path, source: str = MODEL, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.py").write_text(source)
    (folder / "manifest.yaml").write_text(yaml.safe_dump({**MANIFEST, **changes}))
    return folder


def test_a_bare_name_means_a_folder_under_cases(project: Path) -> None:
    make(project / "cases" / "mine")
    for name in ("mine", "folder:mine", "./cases/mine", str(project / "cases" / "mine")):
        case = load_case(name)
        assert case.name == name
        assert case.folder == project / "cases" / "mine"
        assert build_module(case, seed=0)(*draw_inputs(case, seed=0).args).shape == (4, 2)


def test_the_current_folder_comes_before_the_shipped_cases(project: Path) -> None:
    assert load_case("digits_cnn").description != "A test case"
    make(project / "cases" / "digits_cnn")
    assert load_case("digits_cnn").description == "A test case"


def test_listing_shows_what_is_broken_and_goes_on(project: Path) -> None:
    make(project / "cases" / "mine")
    make(project / "cases" / "bad", mode="wrong")
    listed = dict(list_folder_cases())
    assert listed["mine"] == "A test case"
    assert listed["bad"].startswith("broken: ")
    assert "digits_cnn" in listed


def test_constants_override_arguments_and_batch_size(project: Path) -> None:
    make(project / "mine", model={"class": "Net", "kwargs": {"width": 5}})
    assert dict(load_case("./mine").init_kwargs) == {"width": 5}
    case = load_case("./mine", CaseOptions(constants={"width": 7, "batch_size": 6}))
    assert build_module(case, seed=0)(*draw_inputs(case, seed=0).args).shape == (6, 7)
    assert case.module_class is not None
    rebuilt = case.module_class()(*case.init_args, **case.init_kwargs)
    assert rebuilt.get_parameter("linear.weight").shape == (7, 3)
    with pytest.raises(UserError, match="named 'widht'; did you mean 'width'"):
        load_case("./mine", CaseOptions(constants={"widht": 7}))
    with pytest.raises(UserError, match="batch_size' cannot be 0"):
        load_case("./mine", CaseOptions(constants={"batch_size": 0}))


def test_weights_function_overwrites_the_weights(project: Path) -> None:
    make(project / "mine", weights={"function": "initialise"})
    module = build_module(load_case("./mine"), seed=0)
    assert torch.equal(module.get_parameter("linear.weight"), torch.full((2, 3), 0.5))


def test_mode_data_and_device_come_from_the_manifest(project: Path) -> None:
    make(project / "mine", mode="train", device="cpu", data={"name": "digits"}, train={"epochs": 2})
    case = load_case("./mine", CaseOptions(device="auto"))
    assert (case.mode, case.options.device) == ("train", "cpu")
    assert (case.data, case.train) == ({"name": "digits"}, {"epochs": 2})
    assert load_case("./mine", CaseOptions(mode="eval")).mode == "eval"


def test_a_device_is_preferred_where_there_is_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(project / "mine", device="cuda")
    make(project / "other", device="cpu")
    for available, device in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        assert load_case("./mine", CaseOptions(device="auto")).options.device == device
        assert load_case("./other", CaseOptions(device="auto")).options.device == "cpu"


def test_content_follows_the_source_and_the_arguments(project: Path) -> None:
    make(project / "mine")
    first = load_case("./mine").content
    assert load_case("./mine", CaseOptions(constants={"width": 9})).content != first
    make(project / "mine", train={"epochs": 9})
    assert load_case("./mine").content == first
    make(project / "mine", MODEL.replace("nn.Linear(3", "nn.Linear( 3"))
    assert load_case("./mine").content != first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"class": "Nett"}}, r"model\.py has no 'Nett'; did you mean 'Net'"),
        ({"model": {"class": "NotAModule"}}, r"'NotAModule' in .* is no torch\.nn\.Module class"),
        ({"model": {"class": "Net", "module": "models"}}, r"cannot read .*models\.py"),
        ({"weights": {"function": "initialize"}}, "has no 'initialize'"),
    ],
)
def test_what_the_manifest_names_must_exist(project: Path, changes: dict[str, Any], message: str) -> None:
    make(project / "mine", **changes)
    with pytest.raises(UserError, match=message):
        load_case("./mine")


def test_unknown_folders(project: Path) -> None:
    make(project / "cases" / "mine")
    with pytest.raises(UserError, match="no case named 'mien'; did you mean 'mine'"):
        load_case("mien")
    with pytest.raises(UserError, match=r"no case in cases; it has no manifest\.yaml"):
        load_case("./cases")


def test_the_shipped_case_maps_digits_to_ten_classes() -> None:
    case = load_case("digits_cnn")
    (images,) = draw_inputs(case, seed=0).args
    assert images.shape == (64, 1, 8, 8)
    assert 0 <= images.min() < images.max() <= 1
    module = build_module(case, seed=0).eval()
    with torch.no_grad():
        assert module(images).shape == (64, 10)
    assert case.data == {"name": "digits"}
    assert sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in module.modules()) >= 5
