"""Cases from timm."""

from typing import Any

import pytest
import timm
import torch

from netwright.cases import CaseOptions, load_case
from netwright.cases.module import build_module, draw_inputs, prepare_module
from netwright.errors import UserError


def load(name: str, **constants: Any) -> Any:
    return load_case(f"timm:{name}", CaseOptions(constants=constants or None))


def test_a_model_is_fed_images_of_its_own_size() -> None:
    case = load("test_resnet")
    assert (case.name, case.mode) == ("timm:test_resnet", "eval")
    inputs = draw_inputs(case, seed=0)
    config = timm.get_pretrained_cfg("test_resnet")
    assert config is not None
    assert [tensor.shape for tensor in inputs.args] == [(1, *config.input_size)]
    module = prepare_module(case, seed=0)
    with torch.no_grad():
        assert module(*inputs.args).shape == (1, 1000)
    assert case.module_class() is type(module)


def test_it_is_what_timm_makes_from_the_seed() -> None:
    torch.manual_seed(3)
    expected = timm.create_model("test_resnet").state_dict()
    found = build_module(load("test_resnet"), seed=3).state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_constants_reach_sizes_and_constructor() -> None:
    case = load("test_resnet", batch_size=2, image_size=48, in_chans=1, num_classes=5)
    inputs = draw_inputs(case, seed=0)
    assert inputs.args[0].shape == (2, 1, 48, 48)
    assert prepare_module(case, seed=0)(*inputs.args).shape == (2, 5)
    assert dict(case.init_kwargs) == {"pretrained": False, "in_chans": 1, "num_classes": 5}
    assert case.content != load("test_resnet").content


def test_a_model_of_fixed_size_is_built_for_the_asked_one() -> None:
    case = load("test_vit", image_size=64)
    inputs = draw_inputs(case, seed=0)
    assert inputs.args[0].shape == (1, 3, 64, 64)
    assert prepare_module(case, seed=0)(*inputs.args).shape == (1, 1000)


def test_wrong_names_arguments_and_values() -> None:
    with pytest.raises(UserError, match="no timm model named 'resnet19'; did you mean 'resnet18'"):
        load("resnet19")
    with pytest.raises(UserError, match="no constant of timm:resnet18 named 'num_clases'; did you mean 'num_classes'"):
        load("resnet18", num_clases=5)
    with pytest.raises(UserError, match=r"'case_options\.constants\.image_size' cannot be 'large'"):
        load("resnet18", image_size="large")
    with pytest.raises(UserError, match=r"timm:resnet18 cannot be built with .*'many'.*TypeError"):
        load("resnet18", num_classes="many")
