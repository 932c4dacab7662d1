"""A case's forward as a function without arguments, in this process: for notebooks, and to name what to execute."""

from dataclasses import dataclass

import torch

from netwright.cases import CaseOptions, Inputs, load_case
from netwright.harness.draws import draw_call, draw_module
from netwright.harness.protocol import Draw
from netwright.harness.subject import Forward, load_variant
from netwright.harness.variant import EAGER, Variant


@dataclass(frozen=True)
class CaseForward:
    """A variant of a case with its weights and inputs; calling it runs one forward without gradients.

    Attributes:
        case: The case's name.
        options: How it was built, device resolved.
        variant: What is called.
        seed: What weights and inputs were drawn from.
    """

    case: str
    options: CaseOptions
    variant: Variant
    seed: int
    forward: Forward
    inputs: Inputs

    def __call__(self) -> object:
        with torch.no_grad():
            return self.forward(*self.inputs.args, **self.inputs.kwargs)


def make_case_forward(
    case_name: str,
    device: str | None = None,
    *,
    options: CaseOptions | None = None,
    variant: Variant = EAGER,
    seed: int = 0,
) -> CaseForward:
    """The case's forward with the shared weights and inputs wired in, ready to be called without arguments.

    Args:
        case_name: The case's URI-like name.
        device: Overrides the options' device.
        variant: What to call in the place of the unmodified module.
        seed: What weights and inputs are drawn from.

    Raises:
        UserError: There is no such case or device, its code raises, or the variant does not import.
        NetwrightError: The variant's target is neither a function nor a module class, or does not return a callable.
    """
    asked = options or CaseOptions()
    case = load_case(case_name, asked.model_copy(update={"device": device}) if device else asked)
    draw = Draw(seed=seed, weight_seed=seed)
    forward, _ = load_variant(variant, case, draw_module(case, draw))
    return CaseForward(case_name, case.options, variant, seed, forward, draw_call(case, draw))
