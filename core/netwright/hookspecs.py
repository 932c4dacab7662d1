"""The hook specifications: what a plugin may implement to bring components to netwright."""

import pluggy

from netwright.specs import AgentSpec, BaselineSpec, CaseSourceSpec, MetricSpec, ToolSpec

hookspec = pluggy.HookspecMarker("netwright")


@hookspec
def netwright_agents() -> list[AgentSpec]:
    """Agents that this plugin brings: components that decide and act, run by `netwright run agent=NAME`."""


@hookspec
def netwright_tools() -> list[ToolSpec]:
    """Tools that this plugin brings: typed functions, called by `netwright tool NAME` or by an agent."""


@hookspec
def netwright_baselines() -> list[BaselineSpec]:
    """Baselines that this plugin brings: methods that turn a case into a variant, chosen by `baseline=NAME`."""


@hookspec
def netwright_metrics() -> list[MetricSpec]:
    """Metrics that this plugin brings: named measurements with a unit and a direction."""


@hookspec
def netwright_case_sources() -> list[CaseSourceSpec]:
    """Case schemes that this plugin brings: `case=SCHEME:REFERENCE` is then resolved by its function."""
