"""Cases from torchvision."""

from typing import Any

import pytest
import torch
from torchvision import models

from netwright.cases import CaseOptions, load_case
from netwright.cases.module import build_module, draw_inputs, prepare_module
from netwright.errors import UserError


def load(name: str, **constants: Any) -> Any:
    return load_case(f"torchvision:{name}", CaseOptions(constants=constants or None))


def test_constants_reach_sizes_and_constructor() -> None:
    case = load("squeezenet1_1", batch_size=2, image_size=40, num_classes=5)
    inputs = draw_inputs(case, seed=0)
    assert inputs.args[0].shape == (2, 3, 40, 40)
    module = prepare_module(case, seed=0)
    assert module(*inputs.args).shape == (2, 5)
    assert case.module_class() is type(module)
    assert dict(case.init_kwargs) == {"weights": None, "num_classes": 5}


def test_it_is_what_torchvision_makes_from_the_seed() -> None:
    torch.manual_seed(3)
    expected = models.squeezenet1_1().state_dict()
    found = build_module(load("squeezenet1_1"), seed=3).state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize(
    ("name", "size"), [("resnet18", 224), ("inception_v3", 299), ("efficientnet_b7", 600), ("vit_h_14", 224)]
)
def test_default_sizes_are_the_models_own(name: str, size: int) -> None:
    assert draw_inputs(load(name), seed=0).args[0].shape == (1, 3, size, size)


@pytest.mark.parametrize(("name", "size"), [("vit_b_16", 32), ("maxvit_t", 224)])
def test_models_of_fixed_size_are_built_for_the_asked_one(name: str, size: int) -> None:
    case = load(name, image_size=size, num_classes=3)
    with torch.no_grad():
        assert prepare_module(case, seed=0)(*draw_inputs(case, seed=0).args).shape == (1, 3)


def test_wrong_names_and_arguments() -> None:
    with pytest.raises(UserError, match="no torchvision classifier named 'resnt18'; did you mean 'resnet18'"):
        load("resnt18")
    with pytest.raises(UserError, match="named 'num_clases'; did you mean 'num_classes'"):
        load("resnet18", num_clases=5)
