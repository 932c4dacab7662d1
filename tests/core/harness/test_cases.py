"""Tests of a case's forward as a function without arguments."""

from collections.abc import Callable

import pytest
import torch

from netwright.cases import CaseOptions, load_case
from netwright.errors import UserError
from netwright.harness import Variant, agent_provide_inputs, agent_provide_weights, make_case_forward

CaseName = Callable[[str], str]
MakeVariant = Callable[[str, str], Variant]


def test_the_forward_is_wired_with_the_shared_weights_and_inputs(case_name: CaseName) -> None:
    name = case_name("Perceptron")
    forward = make_case_forward(name, device="cpu", seed=3)
    case = load_case(name)
    (x,) = agent_provide_inputs(case, seed=3).args
    module = case.build().eval()
    module.load_state_dict(agent_provide_weights(case, seed=3))
    with torch.no_grad():
        assert torch.equal(forward(), module(x))  # type: ignore[arg-type]
    assert (forward.case, forward.options.device, forward.variant.label, forward.seed) == (name, "cpu", "eager", 3)


def test_there_are_no_gradients(case_name: CaseName) -> None:
    output = make_case_forward(case_name("Perceptron"))()
    assert isinstance(output, torch.Tensor)
    assert not output.requires_grad


def test_options_and_variants_apply(case_name: CaseName, local_variant: MakeVariant) -> None:
    options = CaseOptions(dtype="float64")
    forward = make_case_forward(case_name("Perceptron"), options=options, variant=local_variant("cheats.py", "zeros"))
    assert forward.inputs.args[0].dtype == torch.float64
    assert torch.equal(forward(), torch.zeros(8, 40))  # type: ignore[arg-type]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_the_users_error(case_name: CaseName) -> None:
    with pytest.raises(UserError, match="no CUDA device"):
        make_case_forward(case_name("Perceptron"), device="cuda")
