"""What the predictor plugin registers: the agent `predictor`."""

from netwright import hookimpl
from netwright.specs import AgentSpec


@hookimpl
def netwright_agents() -> list[AgentSpec]:
    """The predictor."""
    return [
        AgentSpec(
            name="predictor",
            summary="Predict what a transformers model costs from its configuration alone: FLOPs, memory, time bounds",
            target="netwright_predictor.agent:PredictorAgent",
            requires=("torch", "transformers"),
            extra="netwright[predictor]",
            config="netwright_predictor.config:PredictorConfig",
            default_case="hf:llama",
            resumable=True,
        )
    ]
