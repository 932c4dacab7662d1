"""Composing a job's configuration with Hydra: search path, resolvers, and Hydra's errors as one line each."""

import re
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import (
    CompactHydraException,
    ConfigCompositionException,
    MissingConfigException,
    OverrideParseException,
    SearchPathException,
)
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from netwright.errors import UserError, nearest, unknown_name
from netwright.files import slug
from netwright.registry import LISTINGS, registry
from netwright.shipped import shipped_folder

CONFIG_NAME = "config"
VERSION_BASE = "1.3" if hydra.__version__.startswith("1.3") else None


class PluginConfigs(SearchPathPlugin):
    """Puts the `conf` folder of every plugin on Hydra's search path, after the root configuration."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append one entry per plugin that has a `conf` folder."""
        for plugin in registry().plugins:
            if plugin.conf is not None:
                search_path.append(f"netwright-{plugin.name}", f"file://{plugin.conf}")


def prepare_hydra() -> None:
    """Register netwright's search path and resolvers; safe to call again, and needed in every process that composes."""
    Plugins.instance().register(PluginConfigs)
    register_resolvers()


def register_resolvers() -> None:
    """Register the resolvers that conf/config.yaml uses."""
    OmegaConf.register_new_resolver("netwright.slug", lambda text: slug(str(text)), replace=True)
    OmegaConf.register_new_resolver("netwright.job_name", _job_name, replace=True)
    OmegaConf.register_new_resolver("netwright.sweep_folder", _sweep_folder, replace=True)


def root_conf() -> Path:
    """The folder of the root configuration."""
    return shipped_folder("conf")


def compose(overrides: list[str], *, config_dir: Path | None = None) -> dict[str, Any]:
    """The composed and resolved configuration of one job, without running it.

    Args:
        overrides: As on the command line, e.g. ["agent=pruner", "seed=1"].
        config_dir: A folder of the user's own configs, searched before plugins'.

    Raises:
        UserError: The overrides do not compose.
    """
    try:
        return plain(_compose(overrides, config_dir))
    except (CompactHydraException, OmegaConfBaseException) as error:
        raise explain(error, overrides) from error


def plain(config: DictConfig) -> dict[str, Any]:
    """An OmegaConf node as resolved plain values."""
    values = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return {str(key): value for key, value in dict(values).items()}  # type: ignore[arg-type]


def explain(error: Exception, overrides: list[str]) -> UserError:
    """Hydra's or OmegaConf's complaint as one line: what, why, remedy."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing_config(error)
    if isinstance(error, OverrideParseException):
        if "=" not in error.override:
            return UserError(f"'{error.override}' is no setting", remedy="write KEY=VALUE (netwright run --help)")
        return UserError(
            f"cannot read the override {error.override!r}",
            why=_first_line(error),
            remedy="quote values that hold spaces, brackets, commas or '=': \"case='my model.py'\"",
        )
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(error, ConfigCompositionException) and (key := _unknown_key(error, cause)):
        return _explain_unknown_key(key, overrides)
    if isinstance(error, SearchPathException):
        return UserError(_first_line(error), remedy="--config-dir takes a folder that exists")
    remedy = "write a list as [a,b]; to sweep over several values, add -m" if "Ambiguous value" in str(error) else ""
    return UserError(_first_line(error), why="" if cause is error else _first_line(cause), remedy=remedy)


def _compose(overrides: list[str], config_dir: Path | None) -> DictConfig:
    prepare_hydra()
    GlobalHydra.instance().clear()
    extra = [f"hydra.searchpath=[file://{config_dir.resolve()}]"] if config_dir else []
    with hydra.initialize_config_dir(config_dir=str(root_conf()), version_base=VERSION_BASE):
        return hydra.compose(CONFIG_NAME, overrides=[*extra, *overrides])


def sweep_folder(name: str) -> Path:
    """The folder of the sweep of that name."""
    return Path("multirun") / slug(name)


def _job_name(agent: str, case: str | None) -> str:
    """The agent and the case that it will work on, as one folder name."""
    known = agent in registry().names("agent")
    return slug("-".join(filter(None, [agent, case or (registry().agent(agent).default_case if known else None)])))


def _sweep_folder(name: str | None, day: str, time: str) -> str:
    return str(sweep_folder(str(name)) if name is not None else Path("multirun") / day / time)


def _missing_config(error: MissingConfigException) -> UserError:
    group, _, name = str(error.missing_cfg_file).strip("/").rpartition("/")
    options = [str(option) for option in error.options or ()]
    if group == "agent" and name in registry().names("agent"):
        plugin = registry().component("agent", name).plugin
        return UserError(
            f"agent '{name}' has no config", why=f"plugin {plugin.origin} brings no conf/agent/{name}.yaml"
        )
    if group == "hydra/launcher":
        package = f"hydra-{name.split('_')[0]}-launcher"
        return UserError(f"launcher '{name}' is not installed", remedy=f"pip install {package}")
    if group == "llm" and nearest(name, options) is None:
        remedy = "a model is named beside it: llm=litellm llm.model=PROVIDER/MODEL"
        return UserError(f"no llm named '{name}'", why=f"known: {', '.join(options)}", remedy=remedy)
    return unknown_name(group or "config", name, options, listing=LISTINGS.get(group, ""))


def _unknown_key(error: Exception, cause: BaseException) -> str | None:
    match = re.search(r"Could not override '([^']+)'", str(error)) or re.search(r"full_key: (\S+)", str(cause))
    return match.group(1) if match else None


def _explain_unknown_key(key: str, overrides: list[str]) -> UserError:
    given = {override.lstrip("+~").partition("=")[0]: override for override in overrides}
    parent, root = key.rpartition(".")[0], key.partition(".")[0]
    others = [override for name, override in given.items() if name != key and not name.startswith(f"{root}.")]
    try:
        values = plain(_compose(others, None))
    except (CompactHydraException, OmegaConfBaseException):
        return UserError(f"unknown key '{key}'")
    if empty := _empty_ancestor(key, values):
        whole = _as_mapping(key.removeprefix(f"{empty}.").split("."), given.get(key, "").partition("=")[2])
        return UserError(
            f"cannot set '{key}' by itself", why=f"'{empty}' is null", remedy=f"give it whole: '{empty}={whole}'"
        )
    valid = _keys(values)
    siblings = [name for name in valid if name.rpartition(".")[0] == parent]
    guess = nearest(key, siblings) or nearest(key, valid)
    remedy = f"did you mean '{guess}'?" if guess else f"valid keys here: {', '.join(sorted(siblings or valid))}"
    return UserError(f"unknown key '{key}'", remedy=remedy)


def _empty_ancestor(key: str, values: Any) -> str | None:
    """The setting above `key` that is null, such as agent.budget above agent.budget.macs; None where there is none."""
    parts = key.split(".")
    for depth, part in enumerate(parts[:-1], start=1):
        if not isinstance(values, dict) or part not in values:
            return None
        values = values[part]
        if values is None:
            return ".".join(parts[:depth])
    return None


def _as_mapping(path: list[str], value: str) -> str:
    """A value below a path of keys, as one would write it: {macs: 0.3}."""
    for part in reversed(path):
        value = f"{{{part}: {value}}}"
    return value


def _keys(values: dict[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for name, value in values.items():
        keys.append(f"{prefix}{name}")
        if isinstance(value, dict):
            keys.extend(_keys(value, f"{prefix}{name}."))
    return keys


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
