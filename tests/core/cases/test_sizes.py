"""Sizes by name in manifests, and the small and full size of every shipped case."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch._subclasses import FakeTensorMode

from netwright.cases import CaseOptions, load_case, map_tensors
from netwright.cases.folder import list_folder_cases
from netwright.cases.module import build_module, draw_inputs
from netwright.cases.sizes import with_sizes
from netwright.errors import UserError

MODEL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, features: int, depth: int = 1) -> None:
        super().__init__()
        self.linear = nn.Linear(features, depth)

    def forward(self, x):
        return self.linear(x)
"""
MANIFEST: dict[str, Any] = {
    "model": {"class": "Net", "kwargs": {"features": 512}},
    "sizes": {"rows": 64},
    "small": {"features": 8, "rows": 2},
    "inputs": {"args": [{"shape": ["rows", "features"]}]},
}


def make(project: Path, **changes: Any) -> str:
    folder = project / "cases" / "sized"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(MODEL)
    (folder / "manifest.yaml").write_text(yaml.safe_dump({**MANIFEST, **changes}))
    return "sized"


def shape(name: str, **options: Any) -> tuple[int, ...]:
    case = load_case(name, CaseOptions(**options))
    (x,) = draw_inputs(case, seed=0).args
    assert build_module(case, seed=0)(x).shape[0] == x.shape[0]
    return tuple(x.shape)


def test_a_cpu_gets_the_small_size_unless_the_full_one_is_asked_for(project: Path) -> None:
    name = make(project)
    assert shape(name) == (2, 8)
    assert shape(name, size="small") == (2, 8)
    assert shape(name, size="full") == (64, 512)


def test_constants_change_arguments_and_shapes_together(project: Path) -> None:
    name = make(project)
    assert shape(name, constants={"features": 16}) == (2, 16)
    assert shape(name, constants={"rows": 5}, size="full") == (5, 512)
    assert shape(name, constants={"batch_size": 3, "rows": 5}) == (3, 8)


def test_without_a_small_size_there_is_one_size(project: Path) -> None:
    assert shape(make(project, small={}), size="small") == (64, 512)


def test_a_name_that_means_nothing_is_named(project: Path) -> None:
    name = make(project, inputs={"args": [{"shape": ["rows", "feature"]}]})
    with pytest.raises(UserError, match=r"neither in model\.kwargs nor in sizes; did you mean 'features'"):
        load_case(name)


def test_an_unknown_constant_shows_the_sizes_too(project: Path) -> None:
    with pytest.raises(UserError, match="row"):
        load_case(make(project), CaseOptions(constants={"row": 3}))


def test_ranges_are_filled_in_and_the_manifest_as_read_is_kept() -> None:
    values = {
        "model": {"class": "Net", "kwargs": {"n": 7}},
        "inputs": {"kwargs": {"x": {"shape": [2], "range": [0, "n"]}}},
    }
    assert with_sizes(values, {"n": 9})["inputs"] == {"kwargs": {"x": {"shape": [2], "range": [0, 9]}}}
    assert values["inputs"] == {"kwargs": {"x": {"shape": [2], "range": [0, "n"]}}}


@pytest.mark.parametrize("name", [name for name, _ in list_folder_cases()])
def test_every_shipped_case_runs_small_and_fits_together_in_full(name: str) -> None:
    small = load_case(name)
    inputs = draw_inputs(small, seed=0)
    with torch.no_grad():
        outputs: list[torch.Tensor] = []
        map_tensors(build_module(small, seed=0).eval()(*inputs.args, **inputs.kwargs), outputs.append)
    assert outputs
    assert all(output.isfinite().all() for output in outputs)
    full = load_case(name, CaseOptions(size="full"))
    with FakeTensorMode(), torch.no_grad():
        inputs = draw_inputs(full, seed=0)
        fakes: list[torch.Tensor] = []
        map_tensors(full.build().eval()(*inputs.args, **inputs.kwargs), fakes.append)
    assert [fake.dtype for fake in fakes] == [output.dtype for output in outputs]
