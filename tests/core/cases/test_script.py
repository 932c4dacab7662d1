"""Cases from scripts."""

from pathlib import Path
from typing import Any

import pytest
import torch

from netwright.cases import CaseOptions, load_case
from netwright.cases.module import build_module, draw_inputs
from netwright.errors import UserError

BARE = """\
import torch
from torch import nn

WIDTH = 4
SHAPE = (2, 3)
DOUBLE = WIDTH * 2


class Net(nn.Module):
    "Doubles."

    def __init__(self, out=1):
        super().__init__()
        self.linear = nn.Linear(WIDTH, out)
        self.double = DOUBLE

    def forward(self, x):
        return self.linear(x)
"""
WITH_INPUTS = (
    BARE
    + """

def get_inputs():
    return [torch.randn(5, WIDTH), torch.randint(0, 9, SHAPE)]


def get_init_inputs():
    return [DOUBLE]
"""
)


def load(project: Path, source: str, **constants: Any) -> Any:
    (project / "net.py").write_text(source)
    return load_case("script:net.py:Net", CaseOptions(constants=constants or None))


def test_the_scripts_own_functions_say_how_to_build_and_feed(project: Path) -> None:
    case = load(project, WITH_INPUTS)
    assert (case.name, case.mode, case.init_args, case.description) == ("script:net.py:Net", "eval", (8,), "Doubles.")
    floats, integers = draw_inputs(case, seed=0).args
    assert (floats.shape, integers.shape) == ((5, 4), (2, 3))
    assert build_module(case, seed=0)(floats).shape == (5, 8)


def test_constants_reach_everything_that_depends_on_them(project: Path) -> None:
    case = load(project, WITH_INPUTS, WIDTH=6, SHAPE=[7])
    floats, integers = draw_inputs(case, seed=0).args
    assert (floats.shape, integers.shape) == ((5, 6), (7,))
    assert vars(build_module(case, seed=0))["double"] == 12
    assert case.content != load(project, WITH_INPUTS).content


def test_inputs_are_drawn_under_the_seed(project: Path) -> None:
    case = load(project, WITH_INPUTS)
    torch.manual_seed(1)
    first = case.draw_inputs(3, "normal").args[0]
    state = torch.get_rng_state()
    assert torch.equal(case.draw_inputs(3, "normal").args[0], first)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(case.draw_inputs(4, "normal").args[0], first)
    assert torch.equal(case.draw_inputs(3, "large").args[0], first * 100)
    assert torch.equal(case.draw_inputs(3, "large").args[1], case.draw_inputs(3, "normal").args[1])


def test_a_mapping_of_inputs_becomes_keyword_arguments(project: Path) -> None:
    case = load(project, BARE + "\n\ndef get_inputs():\n    return {'x': torch.ones(2, 4)}\n")
    inputs = draw_inputs(case, seed=0)
    assert (inputs.args, list(inputs.kwargs)) == ((), ["x"])


def test_inputs_from_constants(project: Path) -> None:
    case = load(project, BARE, input_shape=[3, 4], init={"out": 5})
    assert build_module(case, seed=0)(*draw_inputs(case, seed=0).args).shape == (3, 5)
    assert dict(case.init_kwargs) == {"out": 5}
    case = load(project, BARE, inputs={"kwargs": {"x": {"shape": [2, 4], "dtype": "float64"}}})
    assert draw_inputs(case, seed=0).kwargs["x"].dtype == torch.float64


def test_declared_inputs_come_before_the_scripts_own(project: Path) -> None:
    (inputs,) = draw_inputs(load(project, WITH_INPUTS, input_shape=[1, 4]), seed=0).args
    assert inputs.shape == (1, 4)


def test_a_constant_of_the_script_comes_before_a_setting(project: Path) -> None:
    source = "input_shape = (9, 4)\n" + BARE + "\n\ndef get_inputs():\n    return [torch.ones(input_shape)]\n"
    (inputs,) = draw_inputs(load(project, source, input_shape=[8, 4]), seed=0).args
    assert torch.equal(inputs, torch.ones(8, 4))


def test_unknown_inputs_say_how_to_give_them(project: Path) -> None:
    with pytest.raises(UserError, match=r"inputs of Net are not known; net\.py has no get_inputs\(\); .*input_shape"):
        load(project, BARE)


@pytest.mark.parametrize(
    ("init", "why"), [({}, "missing a required argument: 'out'"), ({"oat": 3}, "unexpected keyword argument 'oat'")]
)
def test_arguments_that_the_constructor_does_not_take_are_said(project: Path, init: dict[str, Any], why: str) -> None:
    Path("net.py").write_text(BARE.replace("out=1", "out" if not init else "out=1"))
    constants = {"input_shape": [2, 4], "init": init}
    with pytest.raises(UserError, match=f"Net cannot be built; .*{why}.*init: {{NAME: VALUE}}"):
        load_case("script:net.py:Net", CaseOptions(constants=constants))


def test_unknown_constants_classes_and_files(project: Path) -> None:
    with pytest.raises(UserError, match="named 'WIDHT'; did you mean 'WIDTH'"):
        load(project, WITH_INPUTS, WIDHT=3)
    with pytest.raises(UserError, match=r"net\.py has no 'Nett'; did you mean 'Net'"):
        load_case("script:net.py:Nett")
    with pytest.raises(UserError, match=r"cannot read gone\.py"):
        load_case("script:gone.py:Net")
    for name in ("script:net.py", "script:net:Net", "script:net.py:"):
        with pytest.raises(UserError, match=r"write script:FILE\.py:CLASS"):
            load_case(name)


def test_a_script_that_does_not_import(project: Path) -> None:
    with pytest.raises(UserError, match=r"net\.py does not import: NameError: name 'unknown'.*line 1"):
        load(project, "x = unknown\n")


def test_code_that_raises_later_is_one_line(project: Path) -> None:
    with pytest.raises(UserError, match=r"get_init_inputs\(\) of net\.py raises ZeroDivisionError"):
        load(project, WITH_INPUTS.replace("return [DOUBLE]", "return [1 / 0]"))
    case = load(project, WITH_INPUTS.replace("return [torch.randn(5, WIDTH)", "return [torch.randn(-5, WIDTH)"))
    with pytest.raises(UserError, match=r"inputs of case 'script:net\.py:Net' cannot be drawn; RuntimeError"):
        draw_inputs(case, seed=0)
    with pytest.raises(UserError, match=r"case 'script:net\.py:Net' cannot be built; ZeroDivisionError"):
        build_module(load(project, WITH_INPUTS.replace("self.double = DOUBLE", "self.double = 1 / 0")), seed=0)


def test_a_lazy_layer_that_stays_without_sizes(project: Path) -> None:
    lazy = WITH_INPUTS.replace("self.double = DOUBLE", "self.double = DOUBLE; self.late = nn.LazyLinear(3)")
    with pytest.raises(UserError, match=r"'late\.weight' has no size before the first call; give the layer its sizes"):
        build_module(load(project, lazy), seed=0)


def test_content_follows_siblings(project: Path) -> None:
    source = "from sibling import UNIT\n" + WITH_INPUTS
    (project / "sibling.py").write_text("UNIT = 1\n")
    first = load(project, source).content
    (project / "sibling.py").write_text("UNIT = 2\n")
    assert load(project, source).content != first
