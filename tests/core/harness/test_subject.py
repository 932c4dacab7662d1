"""Tests of a subject's calls and their effects."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from netwright.cases import Case
from netwright.errors import NetwrightError, UserError
from netwright.harness import EAGER, Variant
from netwright.harness.clock import Clock
from netwright.harness.draws import draw_module
from netwright.harness.protocol import Draw
from netwright.harness.stages import StageError
from netwright.harness.subject import Subject, load_variant

MakeCase = Callable[..., Case]
MakeVariant = Callable[[str, str], Variant]


def subject(case: Case, variant: Variant = EAGER) -> Subject:
    return Subject(case, variant, Clock(), Draw())


def test_a_call_in_eval_mode_changes_nothing(model_case: MakeCase) -> None:
    observed, tensors = subject(model_case("Perceptron")).run(Draw())
    assert observed.structure == "tensor"
    assert observed.leaves[0].shape == (8, 40)
    assert observed.changed == ()
    assert observed.poisoned
    assert list(tensors) == ["output 0"]


def test_what_no_call_changed_is_not_written(model_case: MakeCase) -> None:
    still = subject(model_case("Perceptron"))
    written = [buffer._version for buffer in still.model.buffers()]
    still.run(Draw())
    still.run(Draw(seed=1))
    assert [buffer._version for buffer in still.model.buffers()] == written


def test_a_call_in_train_mode_changes_statistics_and_the_next_one_starts_from_the_same(model_case: MakeCase) -> None:
    training = subject(model_case("Perceptron", mode="train"))
    first, before = training.run(Draw())
    second, after = training.run(Draw())
    names = {"buffer norm.running_mean", "buffer norm.running_var", "buffer norm.num_batches_tracked"}
    assert set(first.changed) == set(second.changed) == names
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_changes_of_inputs_and_weights_are_seen_and_undone(model_case: MakeCase, local_variant: MakeVariant) -> None:
    bias = "parameter head.bias"
    for name, changed in (("mutates_input", "input 0"), ("mutates_weight", bias), ("replaces_weight", bias)):
        mutating = subject(model_case("Perceptron"), local_variant("cheats.py", name))
        first, tensors = mutating.run(Draw())
        second, again = mutating.run(Draw())
        assert first.changed == second.changed == (changed,)
        assert torch.equal(tensors["output 0"], again["output 0"])


@pytest.mark.parametrize(("factor", "changed"), [(1 + 2e-7, ()), (1.001, ("attribute inner.hidden",))])
def test_an_attribute_that_is_computed_anew_may_be_rounded_otherwise(
    model_case: MakeCase, factor: float, changed: tuple[str, ...]
) -> None:
    remembering = subject(model_case("Remembering"))
    inner = remembering.module.inner
    first = inner.hidden.clone()

    def forward(x: torch.Tensor) -> torch.Tensor:
        inner.hidden = inner.hidden * factor
        return x

    remembering.forward = forward
    assert remembering.run(Draw())[0].changed == changed
    assert torch.equal(inner.hidden, first)


def test_weights_are_drawn_anew_when_asked_for(model_case: MakeCase) -> None:
    eager = subject(model_case("Perceptron"))
    one, other = (eager.run(Draw(weight_seed=seed))[1]["output 0"] for seed in (0, 1))
    assert not torch.equal(one, other)
    assert torch.equal(one, eager.run(Draw())[1]["output 0"])


def test_random_modules_are_seeded_alike(model_case: MakeCase) -> None:
    dropping = subject(model_case("Dropping", mode="train"))
    assert torch.equal(dropping.run(Draw())[1]["output 0"], dropping.run(Draw())[1]["output 0"])


def test_a_variant_by_class_gets_the_modules_weights_and_mode(model_case: MakeCase, local_variant: MakeVariant) -> None:
    case = model_case("Perceptron", mode="train", dtype="float64")
    module = draw_module(case, Draw())
    forward, owner = load_variant(local_variant("models.py", "Widened"), case, module)
    assert forward is owner is not module
    assert owner.training
    assert all(torch.equal(value, module.state_dict()[name]) for name, value in owner.state_dict().items())
    assert next(owner.parameters()).dtype == torch.float64


def test_a_variant_by_class_gets_tensors_that_are_in_no_state_dict(
    model_case: MakeCase, local_variant: MakeVariant
) -> None:
    case = model_case("Remembering")
    module: Any = draw_module(case, Draw(weight_seed=5))
    owner: Any = load_variant(local_variant("models.py", "Remembering"), case, module)[1]
    assert torch.equal(owner.positions, module.positions)
    assert torch.equal(owner.inner.hidden, module.inner.hidden)


def test_eager_is_the_module_itself(model_case: MakeCase) -> None:
    case = model_case("Perceptron")
    module = draw_module(case, Draw())
    assert load_variant(EAGER, case, module) == (module, module)


@pytest.mark.parametrize(
    ("target", "options", "error", "message"),
    [
        ("torch:pi", {}, NetwrightError, "neither a function nor a module class"),
        ("torch.nn:Identity", {"a": 1}, UserError, "takes no options"),
        ("builtins:id", {}, NetwrightError, "returned int"),
        ("torch:nothing_like_it", {}, UserError, "has no 'nothing_like_it'"),
    ],
)
def test_targets_that_are_no_variants(
    model_case: MakeCase, target: str, options: dict[str, int], error: type[Exception], message: str
) -> None:
    case = model_case("Perceptron")
    with pytest.raises(error, match=message):
        load_variant(Variant(label="bad", target=target, options=options), case, draw_module(case, Draw()))


@pytest.mark.parametrize(("name", "stage"), [("does_not_load", "variant"), ("raises", "call")])
def test_a_failure_says_whose_it_is(model_case: MakeCase, local_variant: MakeVariant, name: str, stage: str) -> None:
    with pytest.raises(StageError, match=stage):
        subject(model_case("Perceptron"), local_variant("cheats.py", name)).run(Draw())


def test_the_model_of_a_variant(model_case: MakeCase, local_variant: MakeVariant) -> None:
    case = model_case("Perceptron")
    function = subject(case, local_variant("honest.py", "folded"))
    assert function.model is function.module
    by_class = subject(case, local_variant("models.py", "Widened"))
    assert by_class.model is by_class.forward
    compiled = subject(case, Variant(label="compiled", target="torch:compile"))
    assert compiled.model is compiled.module
