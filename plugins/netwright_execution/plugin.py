"""What the execution plugin registers: the agent `benchmark`, its baselines, and the metrics of speed and size."""

from netwright import hookimpl
from netwright.specs import AgentSpec, BaselineSpec, MetricSpec

NEEDS = ("torch",)


@hookimpl
def netwright_agents() -> list[AgentSpec]:
    """The benchmark."""
    return [
        AgentSpec(
            name="benchmark",
            summary="Verify and time ways of executing a model, side by side",
            target="netwright_execution.agent:BenchmarkAgent",
            requires=NEEDS,
            config="netwright_execution.config:BenchmarkConfig",
            baseline_groups=("execution",),
            default_baselines=("eager", "torch_compile", "torch_compile_max_autotune"),
            default_case="digits_cnn",
        )
    ]


@hookimpl
def netwright_baselines() -> list[BaselineSpec]:
    """Ways of executing a module; the contract of their group is described at `netwright.specs.BaselineSpec`."""
    return [
        BaselineSpec(
            name="eager",
            summary="The unmodified module, operator by operator",
            target="netwright_execution.baselines:eager",
            requires=NEEDS,
            group="execution",
        ),
        BaselineSpec(
            name="torch_compile",
            summary="torch.compile with its default mode",
            target="netwright_execution.baselines:torch_compile",
            requires=NEEDS,
            group="execution",
            config="netwright_execution.config:CompileOptions",
        ),
        BaselineSpec(
            name="torch_compile_max_autotune",
            summary="torch.compile that tries several kernels for each product and keeps the fastest",
            target="netwright_execution.baselines:torch_compile_max_autotune",
            requires=NEEDS,
            group="execution",
            config="netwright_execution.config:CompileOptions",
        ),
    ]


@hookimpl
def netwright_metrics() -> list[MetricSpec]:
    """Metrics of a timing or of a model."""
    return [
        MetricSpec(
            name="latency_ms",
            summary="Median time of one call",
            target="netwright_execution.metrics:latency_ms",
            unit="ms",
            direction="lower",
            of="timing",
        ),
        MetricSpec(
            name="throughput",
            summary="Samples that go through per second, at the case's batch size",
            target="netwright_execution.metrics:throughput",
            unit="samples/s",
            direction="higher",
            of="timing",
        ),
        MetricSpec(
            name="peak_memory_bytes",
            summary="Weights, inputs and the most that one call allocates on top of them",
            target="netwright_execution.metrics:peak_memory_bytes",
            unit="bytes",
            direction="lower",
            of="timing",
        ),
        MetricSpec(
            name="parameters",
            summary="Elements of all parameters, tied ones counted once",
            target="netwright_execution.metrics:parameters",
            requires=NEEDS,
            unit="parameters",
            direction="lower",
            of="model",
        ),
        MetricSpec(
            name="macs",
            summary="Multiply-accumulate operations of one call: products, convolutions and attention",
            target="netwright_execution.metrics:macs",
            requires=NEEDS,
            unit="MACs",
            direction="lower",
            of="model",
        ),
        MetricSpec(
            name="flops",
            summary="Floating-point operations of one call, two per MAC",
            target="netwright_execution.metrics:flops",
            requires=NEEDS,
            unit="FLOPs",
            direction="lower",
            of="model",
        ),
    ]
