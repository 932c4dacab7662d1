"""A teacher's part of the loss, against arithmetic by hand, and what it does to a training."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from netwright.errors import UserError
from netwright_training import Splits, evaluate, train
from netwright_training.distillation import output_distance, similarity_distance

MakeModel = Callable[[], nn.Module]


def test_equal_outputs_are_no_distance_apart() -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    assert output_distance(logits, logits + 3, "classification", 2.0).item() == pytest.approx(0, abs=1e-6)
    assert output_distance(logits, logits + 3, "regression", 2.0).item() == pytest.approx(9, rel=1e-5)


def test_the_divergence_is_the_one_of_softened_distributions() -> None:
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[2.0, 0.0]])
    p = torch.softmax(teacher / 2, 1)
    expected = 4 * (p * (p.log() - torch.tensor([0.5, 0.5]).log())).sum().item()
    assert output_distance(student, teacher, "classification", 2.0).item() == pytest.approx(expected, rel=1e-5)


def test_similarities_do_not_depend_on_widths_or_scales() -> None:
    features = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    wider = torch.cat([features, torch.zeros(5, 3)], 1)
    assert similarity_distance(wider, 7 * features).item() == pytest.approx(0, abs=1e-6)
    assert similarity_distance(features.flip(0), features).item() > 0.01


def test_without_targets_a_student_still_learns_what_its_teacher_knows(digits: Splits, make_model: MakeModel) -> None:
    teacher = make_model()
    train(teacher, digits, {"epochs": 12, "device": "cpu", "optimizer": {"lr": 0.01}}, seed=0)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    student = make_model()
    recipe = {
        "epochs": 12,
        "device": "cpu",
        "optimizer": {"lr": 0.01},
        "distillation": {"weight": 1.0, "features": 1.0},
    }
    teacher.train()
    train(student, digits, recipe, seed=1, teacher=teacher)
    scores = [evaluate(model, digits.test, metrics=["accuracy"])["accuracy"] for model in (teacher, student)]
    assert scores[1] > 0.9 * scores[0]
    assert teacher.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.state_dict().items())
    assert not any(module._forward_hooks for model in (teacher, student) for module in model.modules())


def test_distillation_needs_a_teacher_and_layers_of_both(digits: Splits, make_model: MakeModel) -> None:
    recipe = {"epochs": 1, "device": "cpu", "distillation": {"features": 1.0}}
    with pytest.raises(UserError, match="nobody to learn from"):
        train(make_model(), digits, recipe, seed=0)
    wrong = {**recipe, "distillation": {"features": 1.0, "layers": ["11"]}}
    with pytest.raises(UserError, match=r"no layer in train\.distillation\.layers named '11'; .*'1'"):
        train(make_model(), digits, wrong, seed=0, teacher=make_model())
