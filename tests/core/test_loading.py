"""Importing by reference."""

import dataclasses
import inspect
import pickle
import sys
from pathlib import Path

import pytest

from netwright.errors import UserError
from netwright.loading import load_attribute, load_script


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_attribute_of_a_module() -> None:
    assert load_attribute("netwright.files:slug").__module__ == "netwright.files"


def test_attribute_of_a_file(tmp_path: Path) -> None:
    file = write(tmp_path / "my model.py", "ANSWER = 42\n")
    assert load_attribute(f"{file}:ANSWER") == 42


def test_a_file_is_imported_once_until_it_changes(tmp_path: Path) -> None:
    file = write(tmp_path / "model.py", "class Net: pass\n")
    first = load_attribute(f"{file}:Net")
    assert load_attribute(f"{file}:Net") is first
    write(file, "class Net: changed = True\n")
    assert load_attribute(f"{file}:Net") is not first


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    one = write(tmp_path / "one" / "model.py", "NAME = __name__\n")
    two = write(tmp_path / "two" / "model.py", "NAME = __name__\n")
    assert load_attribute(f"{one}:NAME") != load_attribute(f"{two}:NAME")


def test_a_file_finds_its_own_siblings(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write(tmp_path / folder / "layers.py", f"HOME = '{folder}'\n")
        write(tmp_path / folder / "model.py", "from layers import HOME\n")
    path_before = list(sys.path)
    assert load_attribute(f"{tmp_path}/one/model.py:HOME") == "one"
    assert load_attribute(f"{tmp_path}/two/model.py:HOME") == "two"
    assert sys.path == path_before


def test_siblings_that_are_not_in_the_way_stay(tmp_path: Path) -> None:
    write(tmp_path / "one" / "lasting_layers.py", "")
    write(tmp_path / "one" / "model.py", "import lasting_layers\n")
    write(tmp_path / "two" / "model.py", "")
    load_script(tmp_path / "one" / "model.py")
    used = sys.modules["lasting_layers"]
    load_script(tmp_path / "two" / "model.py")
    assert sys.modules["lasting_layers"] is used


@pytest.mark.slow
def test_classes_of_a_file_can_be_compiled(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    write(tmp_path / "one" / "compiled_layers.py", "SCALE = 3\n\ndef scale(x):\n    return x * SCALE\n")
    source = (
        "from torch import nn\nfrom compiled_layers import scale\n\nSHIFT = 2\n\n"
        "def shift(x):\n    return x + SHIFT\n\n"
        "class Net(nn.Module):\n    def forward(self, x):\n        return shift(scale(x))\n"
    )
    net = load_attribute(f"{write(tmp_path / 'one' / 'my-model 2.py', source)}:Net")
    load_script(write(tmp_path / "two" / "model.py", ""))
    assert callable(net)
    compiled = torch.compile(net(), backend="eager", fullgraph=True)
    assert compiled(torch.ones(2)).tolist() == [5, 5]


def test_other_modules_survive_the_next_script(tmp_path: Path) -> None:
    write(tmp_path / "one" / "model.py", "import graphlib\nMODULE = graphlib\n")
    write(tmp_path / "two" / "model.py", "")
    used = load_attribute(f"{tmp_path}/one/model.py:MODULE")
    load_script(tmp_path / "two" / "model.py")
    assert sys.modules["graphlib"] is used


def test_classes_of_a_file_work_as_any_others(tmp_path: Path) -> None:
    source = "from dataclasses import dataclass\n\n\n@dataclass\nclass Point:\n    x: 'int'\n"
    point = load_attribute(f"{write(tmp_path / 'points.py', source)}:Point")
    assert isinstance(point, type)
    assert pickle.loads(pickle.dumps(point(3))) == point(3)
    assert [field.name for field in dataclasses.fields(point)] == ["x"]
    assert inspect.getsource(point) == "@dataclass\nclass Point:\n    x: 'int'\n"


@pytest.mark.parametrize("target", ["netwright", "netwright.files:", ":slug"])
def test_malformed_target(target: str) -> None:
    with pytest.raises(UserError, match="names nothing to import; write package"):
        load_attribute(target)


def test_missing_module() -> None:
    with pytest.raises(UserError, match=r"no module named 'netwright\.fils'"):
        load_attribute("netwright.fils:slug")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*gone\.py; no such file"):
        load_attribute(f"{tmp_path}/gone.py:Net")


def test_missing_attribute_shows_the_nearest() -> None:
    with pytest.raises(UserError, match="has no 'slag'; did you mean 'slug'"):
        load_attribute("netwright.files:slag")


def test_missing_class_lists_the_modules_of_a_script(tmp_path: Path) -> None:
    source = (
        "from torch import nn\n\nclass Encoder(nn.Module): pass\n\nclass Decoder(nn.Module): pass\n\ndef zzz(): pass\n"
    )
    file = write(tmp_path / "model.py", source)
    with pytest.raises(UserError, match=r"has no 'zzz_top'; it has: Decoder, Encoder$"):
        load_attribute(f"{file}:zzz_top")
    with pytest.raises(UserError, match="did you mean 'Encoder'"):
        load_attribute(f"{file}:Encodr")


def test_a_script_that_raises_says_where(tmp_path: Path) -> None:
    file = write(tmp_path / "model.py", "def helper():\n    return 1 / 0\n\n\nVALUE = helper()\n")
    with pytest.raises(UserError) as caught:
        load_attribute(f"{file}:VALUE")
    first, *rest = str(caught.value).splitlines()
    assert first.startswith(f"{file} does not import: ZeroDivisionError: division by zero ({file}, line 2)")
    assert rest[-1].strip() == "ZeroDivisionError: division by zero"
    assert any("return 1 / 0" in line for line in rest)
    assert not any("loading.py" in line for line in rest)


def test_a_failed_script_is_tried_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "model.py", "import os\nVALUE = os.environ['NETWRIGHT_TEST_VALUE']\n")
    with pytest.raises(UserError, match="KeyError"):
        load_attribute(f"{file}:VALUE")
    monkeypatch.setenv("NETWRIGHT_TEST_VALUE", "set")
    assert load_attribute(f"{file}:VALUE") == "set"


def test_a_syntax_error_says_where(tmp_path: Path) -> None:
    file = write(tmp_path / "model.py", "x = 1\ndef broken(:\n    pass\n")
    with pytest.raises(UserError, match=rf"does not import: SyntaxError: .* \({file}, line 2\)"):
        load_attribute(f"{file}:x")


def test_a_script_that_exits_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "model.py", "raise SystemExit(3)\n")
    with pytest.raises(UserError, match="does not import: SystemExit: 3"):
        load_attribute(f"{file}:x")


def test_a_missing_dependency_of_a_script_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "model.py", "import surely_not_installed\n")
    with pytest.raises(UserError, match="ModuleNotFoundError: No module named 'surely_not_installed'"):
        load_attribute(f"{file}:x")


def test_a_missing_dependency_of_a_module_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "needy_module.py", "import surely_not_installed\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="needy_module does not import: ModuleNotFoundError"):
        load_attribute("needy_module:x")
