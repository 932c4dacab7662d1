"""The registry finds components by kind and name, and says precisely why it cannot."""

import operator
from collections.abc import Callable

import pytest

from netwright.errors import MissingDependencyError, UserError
from netwright.registry import Registry, registry

PLUGIN = """
from netwright import hookimpl
from netwright.specs import MetricSpec, ToolSpec

@hookimpl
def netwright_tools():
    return [
        ToolSpec(name="add", summary="Adds", target="operator:add"),
        ToolSpec(name="needy", summary="Needs", target="operator:add", requires=("no_such_package",), extra="x[y]"),
        ToolSpec(name="lost", summary="Lost", target="operator:no_such_function"),
    ]
"""

RegisterPlugin = Callable[..., Registry]


def test_builtin_plugins_have_no_errors() -> None:
    assert {plugin.name: plugin.errors for plugin in registry().plugins if plugin.errors} == {}


def test_load_imports_the_target(register_plugin: RegisterPlugin) -> None:
    assert register_plugin(PLUGIN).load("tool", "add") is operator.add


def test_unknown_name_shows_the_nearest(register_plugin: RegisterPlugin) -> None:
    with pytest.raises(UserError, match=r"no tool named 'ad'; did you mean 'add'\? \(netwright tools shows all\)"):
        register_plugin(PLUGIN).spec("tool", "ad")


def test_unlike_name_shows_all(register_plugin: RegisterPlugin) -> None:
    with pytest.raises(UserError, match=r"known: .*add"):
        register_plugin(PLUGIN).spec("tool", "xyzzy")


def test_missing_dependency_says_what_to_install(register_plugin: RegisterPlugin) -> None:
    found = register_plugin(PLUGIN)
    assert "needy" in found.names("tool")
    with pytest.raises(MissingDependencyError, match=r"needs no_such_package; not installed; pip install 'x\[y\]'"):
        found.load("tool", "needy")


def test_target_that_does_not_exist(register_plugin: RegisterPlugin) -> None:
    with pytest.raises(UserError, match="no_such_function"):
        register_plugin(PLUGIN).load("tool", "lost")


def test_name_brought_twice_names_both_owners(register_plugin: RegisterPlugin) -> None:
    register_plugin(PLUGIN, "first")
    found = register_plugin(PLUGIN, "second")
    with pytest.raises(UserError, match="two plugins: 'first' of inline and 'second' of inline"):
        found.spec("tool", "add")


def test_registry_is_restored(register_plugin: RegisterPlugin) -> None:
    before = registry()
    assert register_plugin(PLUGIN) is registry()
    assert before is not registry()
