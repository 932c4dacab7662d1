"""Inputs and weights that all variants share."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from netwright.cases import Case, CaseOptions, Inputs, load_case
from netwright.cases.module import build_module, prepare_module
from netwright.files import cache_folder
from netwright.harness.data import agent_provide_inputs, agent_provide_weights

CHILD = """\
import torch
from netwright.cases import load_case
from netwright.harness.data import agent_provide_inputs, agent_provide_weights
case = load_case("script:fake_model.py:Fake")
print(agent_provide_inputs(case, seed=3).args[0].double().sum().item())
print(agent_provide_weights(case, seed=3)["head.weight"].double().sum().item())
"""


def refuse(*_: object) -> Inputs:
    raise AssertionError("it should have come from the cache")


def cached_only(case: Case) -> Case:
    """The case, unable to draw or build."""
    return replace(case, draw_inputs=refuse, build=refuse)  # type: ignore[arg-type]


def test_inputs_come_from_the_cache_the_second_time(fake_case: str) -> None:
    case = load_case(fake_case)
    first = agent_provide_inputs(case, seed=1, distribution="large")
    second = agent_provide_inputs(cached_only(case), seed=1, distribution="large")
    assert torch.equal(first.args[0], second.args[0])
    assert (len(second.args), second.kwargs) == (1, {})


def test_weights_come_from_the_cache_the_second_time(fake_case: str) -> None:
    case = load_case(fake_case)
    first = agent_provide_weights(case, seed=1)
    second = agent_provide_weights(cached_only(case), seed=1)
    expected = build_module(case, seed=1).state_dict()
    assert list(first) == list(second) == list(expected)
    assert all(torch.equal(first[name], value) and torch.equal(second[name], value) for name, value in expected.items())
    loaded = prepare_module(case, seed=0, weights=second).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())


def test_whatever_matters_is_in_the_key(fake_case: str) -> None:
    case = load_case(fake_case)
    agent_provide_inputs(case)
    agent_provide_weights(case)
    half = load_case(fake_case, CaseOptions(dtype="bfloat16"))
    changed = load_case(fake_case, CaseOptions(constants={"init": {"width": 5}}))
    assert agent_provide_inputs(half).args[0].dtype == torch.bfloat16
    assert agent_provide_weights(half)["head.weight"].dtype == torch.bfloat16
    assert agent_provide_weights(changed)["head.weight"].shape == (3, 5)
    own = agent_provide_inputs(case).args[0]
    assert not torch.equal(agent_provide_inputs(case, seed=1).args[0], own)
    assert not torch.equal(agent_provide_inputs(case, distribution="uniform").args[0], own)
    assert not torch.equal(
        agent_provide_weights(case, seed=1)["head.weight"], agent_provide_weights(case)["head.weight"]
    )


def test_other_processes_get_the_same(fake_case: str) -> None:
    case = load_case(fake_case)
    here = [
        agent_provide_inputs(case, seed=3).args[0].double().sum().item(),
        agent_provide_weights(case, seed=3)["head.weight"].double().sum().item(),
    ]
    before = sorted(cache_folder("tensors").iterdir())
    child = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert [float(line) for line in child.stdout.split()] == here
    assert sorted(cache_folder("tensors").iterdir()) == before


def test_a_case_without_content_is_never_cached(fake_case: str) -> None:
    case = replace(load_case(fake_case), content="")
    assert torch.equal(agent_provide_inputs(case).args[0], agent_provide_inputs(case).args[0])
    agent_provide_weights(case)
    assert not cache_folder("tensors").exists()


def test_inputs_that_cannot_be_stored_are_drawn_again(project: Path) -> None:
    (project / "odd.py").write_text(
        "import torch\nfrom torch import nn\n\nclass Net(nn.Module):\n    pass\n\n"
        "def get_inputs():\n    return [torch.randn(3, 4).T, slice(2)]\n"
    )
    case = load_case("script:odd.py:Net")
    first, second = agent_provide_inputs(case), agent_provide_inputs(case)
    assert first.args[0].stride() == second.args[0].stride() == (1, 4)
    assert torch.equal(first.args[0], second.args[0])
    assert second.args[1] == slice(2)


def test_tied_weights_are_provided_under_both_names(project: Path) -> None:
    (project / "tied.py").write_text(
        "import torch\nfrom torch import nn\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.one = nn.Linear(3, 3)\n        self.two = self.one\n\n"
        "def get_inputs():\n    return [torch.randn(1, 3)]\n"
    )
    case = load_case("script:tied.py:Net")
    agent_provide_weights(case)
    weights = agent_provide_weights(cached_only(case))
    assert torch.equal(weights["one.weight"], weights["two.weight"])
    module = prepare_module(case, seed=5, weights=weights)
    assert torch.equal(module.get_parameter("one.weight"), weights["two.weight"])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_tensors_are_provided_on_the_cpu(fake_case: str) -> None:
    case = load_case(fake_case, CaseOptions(device="cuda"))
    assert agent_provide_inputs(case).args[0].device.type == "cpu"
    assert agent_provide_weights(case)["head.weight"].device.type == "cpu"
    assert prepare_module(case, seed=0).get_parameter("head.weight").device.type == "cuda"
