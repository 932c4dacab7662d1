"""The text that stands for a case's class."""

from pathlib import Path

import pytest

from netwright.cases import CaseOptions
from netwright.cases.load import load_case
from netwright.cases.module import prepare_module
from netwright_fusion.origin import Origin, origin_of

PROBLEM = '''\
"""A problem."""

from torch import nn, randn  # what it needs

WIDTH, DEPTH = 8, 2  # both
SHAPE = (3, WIDTH)


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(SHAPE[1], width)

    def forward(self, x):
        return self.fc(x)


def get_inputs():
    return [randn(*SHAPE)]


def get_init_inputs():
    return [DEPTH]


if __name__ == "__main__":
    print(Model(1))
'''


def _origin(name: str, constants: dict[str, object] | None = None) -> Origin:
    case = load_case(name, CaseOptions(constants=constants))
    return origin_of(case, prepare_module(case, seed=0))


def test_a_file_is_taken_whole_but_for_its_main_part(project: Path) -> None:
    (project / "problem.py").write_text(PROBLEM)
    origin = _origin("kernelbench:problem.py")
    assert origin.text == PROBLEM[: PROBLEM.index("if __name__")].rstrip() + "\n"
    assert (origin.class_name, origin.init_args) == ("Model", (2,))


def test_constants_are_those_of_the_options_and_nothing_else_changes(project: Path) -> None:
    (project / "problem.py").write_text(PROBLEM)
    origin = _origin("kernelbench:problem.py", {"WIDTH": 4, "SHAPE": [5, 4]})
    assert origin.text is not None
    assert origin.module.fc.weight.shape == (2, 4)  # type: ignore[union-attr]
    scope: dict[str, object] = {}
    exec(origin.text, scope)
    assert (scope["WIDTH"], scope["DEPTH"], scope["SHAPE"]) == (4, 2, (5, 4))
    assert "from torch import nn, randn  # what it needs" in origin.text


@pytest.mark.parametrize("name", ["digits_cnn", "kernelbench:problem.py"])
def test_a_script_alone_is_a_text_of_its_own(project: Path, name: str) -> None:
    (project / "problem.py").write_text(PROBLEM)
    text = _origin(name).text
    assert text is not None
    assert "(nn.Module):" in text


def test_a_script_that_imports_its_neighbours_is_not(project: Path) -> None:
    (project / "layers.py").write_text("from torch import nn\n\nLayer = nn.Linear\n")
    (project / "problem.py").write_text(PROBLEM.replace("\nWIDTH", "\nfrom layers import Layer\n\nWIDTH", 1))
    assert _origin("kernelbench:problem.py").text is None
