"""Finding plugins: each entry point of the group "netwright" is loaded on its own, so that one breaks no other."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import pluggy

from netwright import hookspecs
from netwright.errors import UserError
from netwright.specs import ComponentSpec

GROUP = "netwright"
STRICT_VARIABLE = "NETWRIGHT_STRICT_PLUGINS"
DISABLE_VARIABLE = "NETWRIGHT_DISABLE_PLUGINS"


@dataclass
class Plugin:
    """One plugin, loaded or not.

    Attributes:
        name: The entry point's name.
        distribution: The installed package that declares it, and its version.
        module: What the entry point names; None when it is disabled or does not load.
        components: What its hooks returned.
        hookspecs: Where the further hook specifications live that it brings; "" for none.
        errors: Everything that is wrong with it, one line each.
    """

    name: str
    distribution: str = ""
    version: str = ""
    module: ModuleType | None = None
    components: list[ComponentSpec] = field(default_factory=list)
    hookspecs: str = ""
    errors: list[str] = field(default_factory=list)
    disabled: bool = False

    @property
    def origin(self) -> str:
        """Name and distribution, for messages."""
        return f"'{self.name}' of {self.distribution} {self.version}".rstrip()

    @property
    def conf(self) -> Path | None:
        """The folder of Hydra configs beside the plugin's module, if it has one."""
        file = getattr(self.module, "__file__", None)
        folder = Path(file).parent / "conf" if file else None
        return folder if folder and folder.is_dir() else None


def find_plugins(points: Iterable[EntryPoint] | None = None, extra: Iterable[Plugin] = ()) -> list[Plugin]:
    """Load every plugin and collect its components.

    Args:
        points: The entry points; those of the installed packages by default.
        extra: Plugins that are loaded already, as the test kit makes them.

    Returns:
        All plugins, broken and disabled ones too: netwright's own first, then by name.

    Raises:
        UserError: A plugin has an error and NETWRIGHT_STRICT_PLUGINS=1 is set.
    """
    found = entry_points(group=GROUP) if points is None else points
    plugins = [_load(point) for point in sorted(found, key=_precedence)] + list(extra)
    _refuse_same_names(plugins)
    manager = pluggy.PluginManager("netwright")
    manager.add_hookspecs(hookspecs)
    for plugin in _working(plugins):
        _register(manager, plugin)
    for plugin in _working(plugins):
        _add_hookspecs(manager, plugin)
    _refuse_unknown_hooks(manager, plugins)
    for plugin in _working(plugins):
        plugin.components.extend(_collect(manager, plugin))
    if os.environ.get(STRICT_VARIABLE) == "1":
        for plugin in plugins:
            for error in plugin.errors:
                raise UserError(
                    f"plugin {plugin.origin}: {error}", remedy=f"unset {STRICT_VARIABLE} to go on without it"
                )
    return plugins


def hook_modules(plugins: Iterable[Plugin]) -> list[ModuleType]:
    """The modules of hook specifications: core's and those that plugins bring."""
    return [hookspecs, *(import_module(plugin.hookspecs) for plugin in _working(plugins) if plugin.hookspecs)]


def _precedence(point: EntryPoint) -> tuple[bool, str, str]:
    distribution = point.dist.name if point.dist else ""
    return (distribution != "netwright", point.name, distribution)


def _load(point: EntryPoint) -> Plugin:
    plugin = Plugin(point.name, *((point.dist.name, point.dist.version) if point.dist else ()))
    if point.name in os.environ.get(DISABLE_VARIABLE, "").split(","):
        plugin.disabled = True
        return plugin
    try:
        plugin.module = point.load()
        plugin.hookspecs = getattr(plugin.module, "hookspecs", "")
    except BaseException as error:  # a stranger's module may raise anything, SystemExit included
        if isinstance(error, KeyboardInterrupt):
            raise
        plugin.errors.append(f"does not load: {_one_line(error)}")
    return plugin


def _working(plugins: Iterable[Plugin]) -> Iterator[Plugin]:
    return (plugin for plugin in plugins if plugin.module is not None)


def _refuse_same_names(plugins: list[Plugin]) -> None:
    first: dict[str, Plugin] = {}
    for plugin in plugins:
        owner = first.setdefault(plugin.name, plugin)
        if owner is not plugin:
            plugin.module = None
            plugin.errors.append(
                f"two plugins have one name: {owner.origin} and {plugin.origin}; the first is used, uninstall one"
            )


def _register(manager: pluggy.PluginManager, plugin: Plugin) -> None:
    try:
        manager.register(plugin.module, plugin.name)
    except Exception as error:
        plugin.errors.append(f"cannot be registered: {_one_line(error)}")
        plugin.module = None


def _add_hookspecs(manager: pluggy.PluginManager, plugin: Plugin) -> None:
    if plugin.hookspecs:
        try:
            manager.add_hookspecs(import_module(plugin.hookspecs))
        except Exception as error:
            plugin.errors.append(f"its hook specifications do not load: {_one_line(error)}")
            plugin.hookspecs = ""


def _refuse_unknown_hooks(manager: pluggy.PluginManager, plugins: list[Plugin]) -> None:
    by_name = {plugin.name: plugin for plugin in _working(plugins)}
    while True:
        try:
            return manager.check_pending()
        except pluggy.PluginValidationError as error:
            plugin = by_name[manager.get_name(error.plugin) or ""]
            plugin.errors.append(_one_line(error).split("Plugin '")[-1].removeprefix(f"{plugin.name}' "))
            manager.unregister(error.plugin)
            plugin.module = None


def _collect(manager: pluggy.PluginManager, plugin: Plugin) -> Iterator[ComponentSpec]:
    for caller in manager.get_hookcallers(plugin.module) or ():
        for implementation in caller.get_hookimpls():
            if implementation.plugin is not plugin.module:
                continue
            try:
                specs: list[object] = list(implementation.function())  # type: ignore[call-overload]
            except Exception as error:
                plugin.errors.append(f"{caller.name} raises {_one_line(error)}")
                continue
            strange = [item for item in specs if not isinstance(item, ComponentSpec)]
            if strange:
                plugin.errors.append(f"{caller.name} returns {type(strange[0]).__name__}, not a component spec")
            yield from (item for item in specs if isinstance(item, ComponentSpec))


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
