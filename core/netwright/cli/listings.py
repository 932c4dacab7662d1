"""`netwright plugins|components|agents|tools|baselines|metrics|cases`: what is installed, without importing it."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from netwright.console import console
from netwright.errors import unknown_name
from netwright.plugins import Plugin
from netwright.registry import Component, Registry, registry
from netwright.specs import AgentSpec, BaselineSpec, CaseSourceSpec, ComponentSpec, MetricSpec

KINDS = {
    "agents": "agent",
    "tools": "tool",
    "baselines": "baseline",
    "metrics": "metric",
    "cases": "case source",
}


def main(command: str, arguments: list[str]) -> int:
    """List one kind of component, or the plugins."""
    parser = argparse.ArgumentParser(prog=f"netwright {command}", description=f"List {command}.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    if command == "plugins":
        parser.add_argument("name", nargs="?", help="show what this plugin brings")
    if command == "components":
        parser.add_argument("kind", nargs="?", help=f"one of: {', '.join(registry().kinds)}")
    options = parser.parse_args(arguments)
    if command == "plugins":
        return _plugins(registry(), options.name, as_json=options.json)
    kind = KINDS.get(command, getattr(options, "kind", None))
    if kind is not None and kind not in registry().kinds:
        raise unknown_name("kind of component", kind, registry().kinds)
    kinds = registry().kinds if kind is None else [kind]
    if options.json:
        components = [component for each in kinds for component in registry().components(each)]
        print(json.dumps([_record(component) for component in components], indent=2))
        return 0
    if command == "cases":
        console.print(_case_folders())
    for each in kinds:
        console.print(_table(f"{each}s", registry().components(each)))
    return 0


def _plugins(found: Registry, name: str | None, *, as_json: bool) -> int:
    plugins = [plugin for plugin in found.plugins if name in (None, plugin.name)]
    if name and not plugins:
        raise unknown_name("plugin", name, [plugin.name for plugin in found.plugins], listing="netwright plugins")
    if as_json:
        print(json.dumps([_plugin_record(plugin) for plugin in plugins], indent=2))
        return 0
    console.print(_plugin_table(plugins))
    for plugin in plugins:
        for error in plugin.errors:
            console.print(Text(f"{plugin.name}: {error}", style="red"), soft_wrap=True)
        if name:
            for kind in sorted({spec.kind for spec in plugin.components}):
                brought = [Component(spec, plugin) for spec in plugin.components if spec.kind == kind]
                console.print(_table(f"{kind}s", brought))
    return 0


def _plugin_table(plugins: list[Plugin]) -> Table:
    table = _new_table("plugins", "plugin", "package", "brings", "state")
    for plugin in plugins:
        kinds = [spec.kind for spec in plugin.components]
        brings = ", ".join(f"{kinds.count(kind)} {kind}{'s'[: kinds.count(kind) - 1]}" for kind in dict.fromkeys(kinds))
        state = _state(plugin)
        style = {"ok": "green", "disabled": "dim"}.get(state, "red")
        table.add_row(plugin.name, f"{plugin.distribution} {plugin.version}", brings, Text(state, style=style))
    return table


def _state(plugin: Plugin) -> str:
    if plugin.disabled:
        return "disabled"
    if plugin.module is None:
        return "broken"
    return "faulty" if plugin.errors else "ok"


def _plugin_record(plugin: Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "disabled": plugin.disabled,
        "errors": plugin.errors,
        "components": [{"kind": spec.kind, **asdict(spec)} for spec in plugin.components],
        "hookspecs": plugin.hookspecs,
        "conf": str(plugin.conf) if plugin.conf else None,
    }


def _record(component: Component) -> dict[str, Any]:
    return {
        "kind": component.spec.kind,
        **asdict(component.spec),
        "plugin": component.plugin.name,
        "missing": list(component.missing),
    }


def _table(title: str, components: list[Component]) -> Table:
    table = _new_table(title, "name", "about", "plugin")
    names = [component.spec.name for component in components]
    for component in components:
        about = Text(component.spec.summary)
        if facts := _facts(component.spec):
            about.append(f"\n{facts}", style="dim")
        if component.missing:
            about.append(f"\nneeds {', '.join(component.missing)}: {component.remedy}", style="yellow")
        if names.count(component.spec.name) > 1:
            about.append("\nthis name is brought by two plugins: it cannot be used", style="red")
        table.add_row(component.spec.name, about, component.plugin.name)
    return table


def _facts(spec: ComponentSpec) -> str:
    match spec:
        case AgentSpec():
            compares = f"compares {', '.join(spec.baseline_groups)} baselines" if spec.baseline_groups else ""
            default = f"case {spec.default_case} unless named" if spec.default_case else ""
            return "; ".join(part for part in (compares, default) if part)
        case BaselineSpec():
            return f"group {spec.group}"
        case MetricSpec():
            return ", ".join(part for part in (spec.unit, f"{spec.direction} is better") if part)
        case CaseSourceSpec():
            return f"e.g. {', '.join(spec.examples)}" if spec.examples else ""
    return ""


def _case_folders() -> Table:
    from netwright.cases.folder import list_folder_cases

    table = _new_table("case folders", "name", "about")
    for name, description in list_folder_cases():
        table.add_row(name, description)
    return table


def _new_table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, style="cyan" if number == 0 else None, overflow="fold", header_style="dim")
    return table
