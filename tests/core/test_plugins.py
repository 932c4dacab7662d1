"""Plugins are found one by one: whatever one of them does, the others stay, and the user learns what is wrong."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from netwright import hookspecs
from netwright.errors import UserError
from netwright.plugins import DISABLE_VARIABLE, STRICT_VARIABLE, Plugin, find_plugins, hook_modules

GOOD = """
from netwright import hookimpl
from netwright.specs import ToolSpec

@hookimpl
def netwright_tools():
    return [ToolSpec(name="add", summary="Adds", target="operator:add")]
"""

Install = Callable[[str, str], EntryPoint]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """A function that writes a module and returns the entry point `name` that names it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, source: str) -> EntryPoint:
        module = f"plugin_{tmp_path.name.replace('-', '_')}_{name}"
        (tmp_path / f"{module}.py").write_text(source)
        return EntryPoint(name=name, value=module, group="netwright")

    return write


def by_name(plugins: list[Plugin]) -> dict[str, Plugin]:
    return {plugin.name: plugin for plugin in plugins}


def test_components_are_collected(install: Install) -> None:
    (plugin,) = find_plugins([install("good", GOOD)])
    assert [spec.name for spec in plugin.components] == ["add"]
    assert plugin.errors == []


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import no_such_package", "does not load: ModuleNotFoundError: No module named 'no_such_package'"),
        ("raise SystemExit(3)", "does not load: SystemExit: 3"),
        ("def broken(:", "does not load: SyntaxError"),
        (
            "from netwright import hookimpl\n@hookimpl\ndef netwright_tools():\n    raise RuntimeError('no luck')",
            "netwright_tools raises RuntimeError: no luck",
        ),
        (
            "from netwright import hookimpl\n@hookimpl\ndef netwright_tools():\n    return ['add']",
            "netwright_tools returns str, not a component spec",
        ),
        ("from netwright import hookimpl\n@hookimpl\ndef netwright_toolz():\n    return []", "netwright_toolz"),
        ("from netwright import hookimpl\n@hookimpl\ndef netwright_tools(extra):\n    return []", "extra"),
        ("hookspecs = 'no.such.module'", "its hook specifications do not load"),
    ],
    ids=["import", "exit", "syntax", "raises", "returns", "unknown hook", "unknown argument", "hookspecs"],
)
def test_broken_plugin_is_named_and_breaks_no_other(install: Install, source: str, message: str) -> None:
    plugins = by_name(find_plugins([install("bad", source), install("good", GOOD)]))
    assert message in plugins["bad"].errors[0]
    assert plugins["bad"].components == []
    assert [spec.name for spec in plugins["good"].components] == ["add"]


def test_strict_mode_turns_an_error_into_a_failure(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STRICT_VARIABLE, "1")
    with pytest.raises(UserError, match=r"plugin 'bad'.*does not load"):
        find_plugins([install("bad", "import no_such_package")])


def test_disabled_plugin_is_not_imported(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DISABLE_VARIABLE, "other,bad")
    (plugin,) = find_plugins([install("bad", "raise SystemExit(3)")])
    assert plugin.disabled
    assert plugin.errors == []


def test_two_plugins_with_one_name(install: Install) -> None:
    first = install("same", GOOD)
    plugins = find_plugins([first, EntryPoint(name="same", value="json", group="netwright")])
    assert [bool(plugin.module) for plugin in plugins] == [True, False]
    assert "two plugins have one name" in plugins[1].errors[0]


def test_plugin_brings_a_hook_of_its_own(install: Install, tmp_path: Path) -> None:
    (tmp_path / "further_hooks.py").write_text(
        "import pluggy\n@pluggy.HookspecMarker('netwright')\ndef netwright_widgets():\n    'Widgets.'"
    )
    owner = install("owner", "hookspecs = 'further_hooks'")
    user = install("user", GOOD.replace("netwright_tools", "netwright_widgets"))
    plugins = find_plugins([user, owner])
    assert [spec.name for spec in by_name(plugins)["user"].components] == ["add"]
    assert [module.__name__ for module in hook_modules(plugins)] == [hookspecs.__name__, "further_hooks"]


def test_conf_folder_is_found_beside_the_module(install: Install, tmp_path: Path) -> None:
    point = install("good", GOOD)
    assert find_plugins([point])[0].conf is None
    (tmp_path / "conf").mkdir()
    assert find_plugins([point])[0].conf == tmp_path / "conf"
