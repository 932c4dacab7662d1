"""The registry: every component of every plugin, by kind and name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from types import ModuleType

from netwright.errors import MissingDependencyError, UserError, nearest, unknown_name
from netwright.loading import load_attribute
from netwright.plugins import Plugin, find_plugins
from netwright.specs import AgentSpec, ComponentSpec, MetricSpec

INLINE = "inline"
"""What stands for the distribution of a plugin that was registered by `use_plugin`."""

LISTINGS = {
    "agent": "netwright agents",
    "tool": "netwright tools",
    "baseline": "netwright baselines",
    "metric": "netwright metrics",
    "case source": "netwright cases",
}


@dataclass(frozen=True)
class Component:
    """A component and the plugin that brings it."""

    spec: ComponentSpec
    plugin: Plugin

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that the component needs and that are not installed."""
        return tuple(name for name in self.spec.requires if find_spec(name.partition(".")[0]) is None)

    @property
    def remedy(self) -> str:
        """The command that installs what is missing."""
        package = self.spec.extra or " ".join(self.missing)
        return f"pip install '{package}'"


class Registry:
    """Components by kind ("agent", "tool", "baseline", "metric", "case source", ...) and name."""

    def __init__(self, plugins: list[Plugin]) -> None:
        self.plugins = plugins

    @cached_property
    def _components(self) -> dict[str, dict[str, list[Component]]]:
        table: dict[str, dict[str, list[Component]]] = {}
        for plugin in self.plugins:
            for spec in plugin.components:
                table.setdefault(spec.kind, {}).setdefault(spec.name, []).append(Component(spec, plugin))
        return table

    @property
    def kinds(self) -> list[str]:
        """The kinds of component that some plugin brings, sorted."""
        return sorted(self._components)

    def names(self, kind: str) -> list[str]:
        """The names of all components of a kind, sorted."""
        return sorted(self._components.get(kind, {}))

    def components(self, kind: str) -> list[Component]:
        """All components of a kind, by name; of two with one name, both."""
        return [component for name in self.names(kind) for component in self._components[kind][name]]

    def component(self, kind: str, name: str) -> Component:
        """The component of that kind and name.

        Raises:
            UserError: There is none (the nearest name is shown), or two plugins bring one.
        """
        owners = self._components.get(kind, {}).get(name, [])
        if not owners:
            raise self._unknown(kind, name)
        if len(owners) > 1:
            raise UserError(
                f"{kind} '{name}' is brought by two plugins: {' and '.join(owner.plugin.origin for owner in owners)}",
                remedy=f"uninstall one, or switch one off with --disable {owners[-1].plugin.name}",
            )
        return owners[0]

    def spec(self, kind: str, name: str) -> ComponentSpec:
        """The spec of the component of that kind and name; raises as `component`."""
        return self.component(kind, name).spec

    def agent(self, name: str) -> AgentSpec:
        """The spec of an agent; raises as `component`."""
        spec = self.spec("agent", name)
        assert isinstance(spec, AgentSpec)
        return spec

    def metric(self, name: str) -> MetricSpec:
        """The spec of a metric; raises as `component`."""
        spec = self.spec("metric", name)
        assert isinstance(spec, MetricSpec)
        return spec

    def load(self, kind: str, name: str) -> object:
        """Import the component's target.

        Raises:
            UserError: The name is unknown or brought twice, or the target does not import.
            MissingDependencyError: A package that it needs is not installed; the message says how to install it.
        """
        component = self.component(kind, name)
        if component.missing:
            raise MissingDependencyError(
                f"{kind} '{name}' needs {', '.join(component.missing)}", why="not installed", remedy=component.remedy
            )
        return load_attribute(component.spec.target)

    def _unknown(self, kind: str, name: str) -> UserError:
        error = unknown_name(kind, name, self.names(kind), listing=LISTINGS.get(kind, f"netwright components {kind}"))
        broken = [plugin.name for plugin in self.plugins if plugin.errors or plugin.disabled]
        if broken and nearest(name, self.names(kind)) is None:
            error = UserError(error.what, why=error.why, remedy=f"{error.remedy}; not loaded: {', '.join(broken)}")
        return error


_registry: Registry | None = None


def registry() -> Registry:
    """The registry of the installed plugins, found on first use."""
    global _registry  # noqa: PLW0603 - found once per process, replaced only by `use_plugin`
    if _registry is None:
        _registry = Registry(find_plugins())
    return _registry


@contextmanager
def use_plugin(module: ModuleType, name: str) -> Iterator[Registry]:
    """Inside the block, the registry also holds the plugin `module`; processes started meanwhile do not know it."""
    global _registry  # noqa: PLW0603
    before = _registry
    inline = (
        [_inline(known.module, known.name) for known in before.plugins if known.module and known.distribution == INLINE]
        if before
        else []
    )
    _registry = Registry(find_plugins(extra=[*inline, _inline(module, name)]))
    try:
        yield _registry
    finally:
        _registry = before


def _inline(module: ModuleType, name: str) -> Plugin:
    return Plugin(name, distribution=INLINE, module=module, hookspecs=getattr(module, "hookspecs", ""))
