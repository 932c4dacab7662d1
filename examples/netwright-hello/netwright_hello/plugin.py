"""What this plugin brings: one hook per kind of component, each returning lazy specs."""

from netwright import hookimpl
from netwright.specs import AgentSpec, BaselineSpec, CaseSourceSpec, MetricSpec, ToolSpec


@hookimpl
def netwright_agents() -> list[AgentSpec]:
    """The agent `census`."""
    return [
        AgentSpec(
            name="census",
            summary="Counts a model's layers by type",
            target="netwright_hello.agent:CensusAgent",
            config="netwright_hello.config:CensusConfig",
        )
    ]


@hookimpl
def netwright_tools() -> list[ToolSpec]:
    """The tool `count_layers`."""
    return [
        ToolSpec(
            name="count_layers",
            summary="Count a case's layers by type",
            target="netwright_hello.tool:count_layers",
        )
    ]


@hookimpl
def netwright_baselines() -> list[BaselineSpec]:
    """One baseline for the benchmark agent, one for the pruner."""
    return [
        BaselineSpec(
            name="inference_mode",
            summary="Eager under torch.inference_mode",
            target="netwright_hello.baseline:inference_mode",
            group="execution",
        ),
        BaselineSpec(
            name="bn_scale",
            summary="Removes the channels whose BatchNorm scale is smallest",
            target="netwright_hello.pruning:BatchNormScale",
            group="pruning",
            requires=("torch_pruning",),
            extra="netwright[pruning]",
        ),
    ]


@hookimpl
def netwright_metrics() -> list[MetricSpec]:
    """The metric `weight_megabytes`."""
    return [
        MetricSpec(
            name="weight_megabytes",
            summary="Size of all parameters as stored",
            target="netwright_hello.metric:weight_megabytes",
            unit="MB",
            direction="lower",
            of="model",
        )
    ]


@hookimpl
def netwright_case_sources() -> list[CaseSourceSpec]:
    """The case scheme `mlp:`."""
    return [
        CaseSourceSpec(
            name="mlp",
            summary="A multi-layer perceptron of the given widths",
            target="netwright_hello.source:load_mlp",
            examples=("mlp:64x128x10",),
        )
    ]
