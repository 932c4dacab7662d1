"""`netwright tool`: flags and JSON mean the same."""

import json
from collections.abc import Callable

import pytest

from netwright.cli.main import main
from netwright.registry import Registry

PLUGIN = '''
from netwright import hookimpl
from netwright.context import current_run
from netwright.specs import ToolSpec

def describe(name: str, sizes: list[int] | None = None, deep: bool = False) -> dict[str, object]:
    """Describe a thing."""
    return {"name": name, "sizes": sizes, "deep": deep}

def work() -> int:
    with current_run().step("work"):
        return 1

@hookimpl
def netwright_tools():
    return [
        ToolSpec(name="describe", summary="Describes", target="inline:describe"),
        ToolSpec(name="work", summary="Works", target="inline:work"),
    ]
'''


@pytest.fixture(autouse=True)
def plugin(register_plugin: Callable[..., Registry]) -> Registry:
    return register_plugin(PLUGIN)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", '{"name": "x", "sizes": [1, 2], "deep": true}'],
        ["--name", "x", "--sizes", "[1, 2]", "--deep", "true"],
        ["--json", '{"name": "y", "sizes": [1, 2]}', "--name", "x", "--deep", "true"],
    ],
    ids=["json", "flags", "both"],
)
def test_call(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tool", "describe", *arguments]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "x", "sizes": [1, 2], "deep": True}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["descrbe"], "did you mean 'describe'?"),
        (["describe", "--json", "{"], "--json does not hold JSON"),
        (["describe", "--json", "[1]"], "--json does not hold an object"),
        (["describe", "--json", '{"nam": "x"}'], "unknown key 'describe.nam'; did you mean 'name'?"),
        (["describe", "--name", "x", "--deep", "perhaps"], "'describe.deep' cannot be 'perhaps'"),
    ],
)
def test_bad_input(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tool", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_help_is_made_from_signature_and_docstring(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["tool", "describe", "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "Describe a thing." in shown
    assert "--sizes" in shown


def test_standard_output_holds_nothing_but_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tool", "work"]) == 0
    assert capsys.readouterr().out == "1\n"
