"""What the fusion plugin registers: the agent `fusion`."""

from netwright import hookimpl
from netwright.specs import AgentSpec


@hookimpl
def netwright_agents() -> list[AgentSpec]:
    """The fusion agent."""
    return [
        AgentSpec(
            name="fusion",
            summary="Rewrite a model's graph and write Triton kernels, verify, measure, and keep what is faster",
            target="netwright_fusion.agent:FusionAgent",
            requires=("torch", "langgraph"),
            extra="netwright[fusion]",
            config="netwright_fusion.config:FusionConfig",
            baseline_groups=("execution",),
            default_baselines=("eager", "torch_compile", "torch_compile_max_autotune"),
            default_case="linear_sum",
            resumable=True,
        )
    ]
