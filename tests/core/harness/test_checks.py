"""Tests of the checks on one call."""

import pytest
import torch

from netwright.cases import Tolerance
from netwright.harness.checks import CALL_CHECKS, Call
from netwright.harness.compare import Yardstick
from netwright.harness.judge import Expected
from netwright.harness.protocol import Draw, Expectation, LeafFacts

FACTS = LeafFacts(type="Tensor", dtype="float32", shape=(2, 3), strides=(3, 1), device="cpu", aliases=())
VALUES = torch.arange(6.0).reshape(2, 3)
MEAN = torch.tensor([0.5])


def call(
    *,
    structure: str = "tensor",
    facts: LeafFacts = FACTS,
    changed: tuple[str, ...] | None = ("buffer mean",),
    **tensors: torch.Tensor,
) -> Call:
    """A call that is right but for what the arguments say."""
    yardsticks = {
        name: Yardstick(value.double(), value, 0.0, 0.0, 1.0, 1e-7)
        for name, value in {"output 0": VALUES, "buffer mean": MEAN}.items()
    }
    judged = Expectation(structure="tensor", leaves=(FACTS,), changed=("buffer mean",))
    named = {"output 0": VALUES, "buffer mean": MEAN} | {
        name.replace("_", " "): value for name, value in tensors.items()
    }
    return Call(Draw(), Expected(judged, yardsticks), structure, (facts,), changed, named, Tolerance())


def complaints(made: Call) -> dict[str, str]:
    return {name: reason for name, check in CALL_CHECKS.items() if (reason := check(made))}


def test_a_call_that_does_what_it_should_passes_every_check() -> None:
    assert complaints(call()) == {}


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("type", {"type": "mine.LazyTensor"}),
        ("dtype", {"dtype": "bfloat16"}),
        ("device", {"device": "cuda:0"}),
        ("shape", {"shape": (3, 2)}),
        ("strides", {"strides": (1, 2)}),
        ("aliasing", {"aliases": ("input 0",)}),
    ],
)
def test_each_fact_has_a_check_of_its_own(name: str, facts: dict[str, object]) -> None:
    assert list(complaints(call(facts=FACTS.model_copy(update=facts)))) == [name]


@pytest.mark.parametrize(
    ("shape", "reference", "ours", "right"),
    [
        ((2, 3, 4), (24, 8, 2), (12, 4, 1), True),
        ((2, 3, 4), (12, 4, 1), (24, 8, 2), False),
        ((2, 3, 4), (24, 1, 6), (12, 1, 3), True),
        ((2, 3, 4), (24, 1, 6), (12, 4, 1), False),
        ((2, 1, 4), (8, 0, 2), (4, 0, 1), True),
        ((3, 4), (1, 0), (4, 1), False),
    ],
)
def test_gaps_of_the_references_view_may_be_closed(
    shape: tuple[int, ...], reference: tuple[int, ...], ours: tuple[int, ...], right: bool
) -> None:
    made = call(facts=FACTS.model_copy(update={"shape": shape, "strides": ours}))
    made.expected.facts.__dict__["leaves"] = (FACTS.model_copy(update={"shape": shape, "strides": reference}),)
    assert ("strides" not in complaints(made)) is right


def test_another_structure_is_a_complaint() -> None:
    assert complaints(call(structure="tuple[tensor]")) == {
        "structure": "it returns tuple[tensor], the reference tensor"
    }


def test_an_output_may_alias_what_the_references_does() -> None:
    right = call(facts=FACTS.model_copy(update={"aliases": ("input 0",)}))
    right.expected.facts.__dict__["leaves"] = (FACTS.model_copy(update={"aliases": ("input 0", "input 1")}),)
    assert "aliasing" not in complaints(right)


def test_inputs_and_weights_must_not_change_unless_the_reference_changes_them() -> None:
    assert complaints(call(changed=("buffer mean", "input 0"))) == {
        "mutation": "it changes input 0, the reference does not"
    }
    assert complaints(call(changed=())) == {"mutation": "it leaves buffer mean as it was, the reference changes it"}


def test_what_the_reference_changes_must_end_as_it_does() -> None:
    assert "otherwise than the reference" in complaints(call(buffer_mean=torch.tensor([0.6])))["mutation"]
    assert "another shape" in complaints(call(buffer_mean=torch.tensor([0.5, 0.5])))["mutation"]


def test_what_a_call_leaves_behind_has_a_wider_tolerance_than_what_it_returns() -> None:
    slip = 5 * Tolerance().floor_eps * 1e-7
    assert complaints(call(buffer_mean=MEAN + slip)) == {}
    assert list(complaints(call(output_0=VALUES + slip))) == ["accuracy"]


def test_a_call_whose_effects_were_not_looked_at_is_not_blamed_for_them() -> None:
    assert complaints(call(changed=None)) == {}


def test_wrong_values_are_a_matter_of_accuracy() -> None:
    assert list(complaints(call(output_0=VALUES + 1e-3))) == ["accuracy"]


def test_unwritten_values_are_special() -> None:
    unwritten = VALUES.clone()
    unwritten[0, 0] = torch.nan
    assert list(complaints(call(output_0=unwritten))) == ["special values", "accuracy"]


@pytest.mark.parametrize("values", [torch.zeros(3), VALUES.double(), VALUES.int()])
def test_values_that_are_not_what_the_facts_say_are_refused(values: torch.Tensor) -> None:
    assert complaints(call(output_0=values)) == {"accuracy": "output 0: its values cannot be compared"}
