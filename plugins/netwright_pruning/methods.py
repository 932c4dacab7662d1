"""Pruning methods by name."""

from collections.abc import Mapping
from typing import Any, cast

from netwright.config import Config, parse_config
from netwright.errors import NetwrightError, UserError
from netwright.loading import load_attribute
from netwright.registry import registry
from netwright.specs import BaselineSpec
from netwright_pruning.method import BasePruningMethod

GROUP = "pruning"


def load_method(name: str, options: Mapping[str, Any] | None = None) -> BasePruningMethod:
    """The registered baseline of group "pruning", built with its options.

    Raises:
        UserError: There is no such baseline, it is of another group, or an option is wrong.
        NetwrightError: Its target is no `BasePruningMethod`.
    """
    spec = registry().spec("baseline", name)
    if not isinstance(spec, BaselineSpec) or spec.group != GROUP:
        raise UserError(f"baseline '{name}' is no pruning method", remedy="netwright baselines shows the groups")
    target = registry().load("baseline", name)
    if not (isinstance(target, type) and issubclass(target, BasePruningMethod)):
        raise NetwrightError(
            f"baseline '{name}' cannot prune", why=f"{spec.target} is no subclass of BasePruningMethod"
        )
    return target(**_options(spec, options or {}))


def _options(spec: BaselineSpec, options: Mapping[str, Any]) -> dict[str, Any]:
    path = f"baseline_options.{spec.name}"
    if not spec.config:
        if options:
            raise UserError(f"'{path}' has settings", why=f"baseline '{spec.name}' takes none")
        return {}
    config_class = cast("type[Config]", load_attribute(spec.config))
    return dict(parse_config(config_class, options, path=path))
