"""Cases from KernelBench problem files."""

from pathlib import Path
from typing import Any

import pytest
import torch

from netwright.cases import CaseOptions, load_case
from netwright.cases.module import draw_inputs, prepare_module
from netwright.errors import UserError

PROBLEM = """\
import torch
import torch.nn as nn


class Model(nn.Module):
    \"\"\"Scales each row by a weight and adds the second input.\"\"\"

    def __init__(self, features, scale):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features) * scale)

    def forward(self, rows, offset):
        return rows * self.weight + offset


rows, features = 6, 4
scale = 0.5
offset_shape = (features,)


def get_inputs():
    return [torch.rand(rows, features), torch.randn(offset_shape)]


def get_init_inputs():
    return [features, scale]
"""


def load(project: Path, source: str = PROBLEM, *, mode: Any = None, **constants: Any) -> Any:
    (project / "problem.py").write_text(source)
    return load_case("kernelbench:problem.py", CaseOptions(constants=constants or None, mode=mode))


def test_a_problem_is_built_and_fed_as_its_file_says(project: Path) -> None:
    case = load(project)
    assert (case.name, case.mode, case.init_args) == ("kernelbench:problem.py", None, (4, 0.5))
    module = prepare_module(case, seed=0)
    assert module.training
    rows, offset = draw_inputs(case, seed=0).args
    torch.manual_seed(0)
    assert torch.equal(rows, torch.rand(6, 4))
    assert torch.equal(module(rows, offset), rows * module.get_parameter("weight") + offset)
    assert case.module_class().__name__ == "Model"


def test_mode_and_constants_can_be_changed(project: Path) -> None:
    case = load(project, mode="eval", features=9, rows=2)
    assert case.mode == "eval"
    assert [tensor.shape for tensor in draw_inputs(case, seed=0).args] == [(2, 9), (9,)]
    assert prepare_module(case, seed=0).get_parameter("weight").shape == (9,)
    with pytest.raises(UserError, match="named 'feature'; did you mean 'features'"):
        load(project, feature=9)


def test_other_distributions_keep_signs(project: Path) -> None:
    case = load(project)
    own = draw_inputs(case, seed=1).args[0]
    assert torch.equal(draw_inputs(case, seed=1, distribution="small").args[0], own * 1e-3)
    assert (draw_inputs(case, seed=1, distribution="uniform").args[0] >= 0).all()


def test_a_file_that_is_no_problem(project: Path) -> None:
    with pytest.raises(UserError, match=r"problem\.py is no KernelBench problem; it does not define get_init_inputs$"):
        load(project, PROBLEM.replace("def get_init_inputs", "def init_inputs"))
    with pytest.raises(UserError, match=r"cannot read gone\.py"):
        load_case("kernelbench:gone.py")


def test_the_mode_is_that_of_the_constructor(project: Path) -> None:
    frozen = PROBLEM.replace("super().__init__()", "super().__init__()\n        self.eval()")
    assert frozen != PROBLEM
    assert not prepare_module(load(project, frozen), seed=0).training
    assert prepare_module(load(project, frozen, mode="train"), seed=0).training
