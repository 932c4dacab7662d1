"""From a case to its module and inputs."""

from pathlib import Path

import torch

from netwright.cases import CaseOptions, load_case
from netwright.cases.module import build_module, draw_inputs, prepare_module


def test_weights_depend_on_the_seed_alone(fake_case: str) -> None:
    case = load_case(fake_case)
    torch.manual_seed(1)
    first = build_module(case, seed=0).state_dict()
    state = torch.get_rng_state()
    second = build_module(case, seed=0).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    other = build_module(case, seed=1).state_dict()
    for name, value in first.items():
        assert torch.equal(second[name], value)
        assert not torch.equal(other[name], value)


def test_dtype_and_mode_are_as_asked_for(fake_case: str) -> None:
    case = load_case(fake_case, CaseOptions(dtype="float64", mode="train"))
    module = prepare_module(case, seed=0)
    assert module.training
    assert {value.dtype for value in module.parameters()} == {torch.float64}
    assert draw_inputs(case, seed=0).args[0].dtype == torch.float64
    module = prepare_module(load_case(fake_case), seed=0)
    assert not module.training
    assert {value.dtype for value in module.parameters()} == {torch.float32}


def test_given_weights_take_the_place_of_drawn_ones(fake_case: str) -> None:
    case = load_case(fake_case, CaseOptions(dtype="bfloat16"))
    weights = prepare_module(case, seed=7).state_dict()
    loaded = prepare_module(case, seed=0, weights=weights).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in weights.items())


def test_layers_are_told_of_which_version_their_weights_are(tmp_path: Path) -> None:
    source = """
from torch import nn

class Versioned(nn.Linear):
    _version = 2

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
        if local_metadata.get("version") != 2:
            raise ValueError("weights of another version")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = Versioned(4, 4)
"""
    (tmp_path / "versioned.py").write_text(source)
    case = load_case(f"script:{tmp_path / 'versioned.py'}:Model", CaseOptions(constants={"input_shape": [2, 4]}))
    plain = dict(prepare_module(case, seed=7).state_dict())
    assert torch.equal(prepare_module(case, seed=0, weights=plain).state_dict()["layer.weight"], plain["layer.weight"])


def test_inputs_of_a_seed_do_not_depend_on_the_dtype(fake_case: str) -> None:
    (single,) = draw_inputs(load_case(fake_case), seed=0).args
    (half,) = draw_inputs(load_case(fake_case, CaseOptions(dtype="bfloat16")), seed=0).args
    assert torch.equal(single.to(torch.bfloat16), half)
