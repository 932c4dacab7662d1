"""What the pruning plugin registers: the agent `pruner` and its baselines."""

from netwright import hookimpl
from netwright.specs import AgentSpec, BaselineSpec

EXTRA = "netwright[pruning]"
NEEDS = ("torch", "torch_pruning")


@hookimpl
def netwright_agents() -> list[AgentSpec]:
    """The pruner."""
    return [
        AgentSpec(
            name="pruner",
            summary="Prune a model to a budget with several methods, and compare accuracy, size and latency",
            target="netwright_pruning.agent:PrunerAgent",
            requires=NEEDS,
            extra=EXTRA,
            config="netwright_pruning.config:PrunerConfig",
            baseline_groups=("pruning",),
            default_baselines=("magnitude_l2",),
            default_case="digits_cnn",
        )
    ]


@hookimpl
def netwright_baselines() -> list[BaselineSpec]:
    """The pruning methods; the contract of their group is `netwright_pruning.BasePruningMethod`."""
    return [
        _method("random", "RandomPruning", "Remove channels drawn by lot"),
        _method("magnitude_l1", "MagnitudeL1", "Remove the channels with the smallest sums of absolute weights"),
        _method("magnitude_l2", "MagnitudeL2", "Remove the channels with the smallest sums of squared weights"),
        _method("taylor", "TaylorPruning", "Remove the channels that change the loss least, to first order"),
        _method(
            "isomorphic",
            "IsomorphicPruning",
            "Rank channels only among groups of equal structure, by Taylor importance unless told otherwise",
            config="netwright_pruning.config:IsomorphicOptions",
        ),
    ]


def _method(name: str, class_name: str, summary: str, *, config: str = "") -> BaselineSpec:
    return BaselineSpec(
        name=name,
        summary=summary,
        target=f"netwright_pruning.baselines:{class_name}",
        requires=NEEDS,
        extra=EXTRA,
        group="pruning",
        config=config,
    )
