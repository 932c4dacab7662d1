"""What the pruning plugin registers: the agent `pruner` and its baselines."""

from netwright import hookimpl
from netwright.specs import AgentSpec, BaselineSpec

EXTRA = "netwright[pruning]"
NEEDS = ("torch", "torch_pruning")
OF_GROUP = "netwright_pruning.config:GroupOptions"


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
            resumable=True,
        )
    ]


@hookimpl
def netwright_baselines() -> list[BaselineSpec]:
    """The pruning methods; the contract of their group is `netwright_pruning.BasePruningMethod`."""
    return [
        _method("random", "RandomPruning", "Remove channels drawn by lot"),
        _method("magnitude_l1", "MagnitudeL1", "Remove channels with the smallest sums of absolute weights", OF_GROUP),
        _method("magnitude_l2", "MagnitudeL2", "Remove channels with the smallest sums of squared weights", OF_GROUP),
        _method("batch_norm_scale", "BatchNormScalePruning", "Remove channels with the smallest scales of BatchNorm"),
        _method("fpgm", "GeometricMedianPruning", "Remove the filters that the others of their layer can replace"),
        _method("lamp", "LampPruning", "Remove channels with the smallest share in the larger weights of a layer"),
        _method("taylor", "TaylorPruning", "Remove the channels that change the loss least, to first order", OF_GROUP),
        _method("hessian", "HessianPruning", "Remove channels that change the loss least, to second order", OF_GROUP),
        _method("activation", "ActivationPruning", "Remove the channels that bring least to the layers reading them"),
        _method(
            "isomorphic",
            "IsomorphicPruning",
            "Rank channels only among groups of equal structure, by Taylor importance unless told otherwise",
            config="netwright_pruning.config:IsomorphicOptions",
        ),
        _method(
            "multi_agent",
            "MultiAgentPruning",
            "Agents compare strategies without training, refit what remains, and train the best one",
            config="netwright_pruning.agents.config:MultiAgentOptions",
            module="multi_agent",
            requires=(*NEEDS, "langgraph"),
        ),
    ]


def _method(
    name: str,
    class_name: str,
    summary: str,
    config: str = "",
    *,
    module: str = "baselines",
    requires: tuple[str, ...] = NEEDS,
) -> BaselineSpec:
    return BaselineSpec(
        name=name,
        summary=summary,
        target=f"netwright_pruning.{module}:{class_name}",
        requires=requires,
        extra=EXTRA,
        group="pruning",
        config=config,
    )
