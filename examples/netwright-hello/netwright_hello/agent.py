"""An agent: takes a job, returns a typed result."""

from pydantic import BaseModel

from netwright.agent import BaseAgent, Job
from netwright.context import current_run
from netwright.result import AgentResult, Measurement, TableBlock
from netwright_hello.config import CensusConfig
from netwright_hello.tool import count_layers


class CensusMetrics(BaseModel):
    """Layers by type."""

    layers: dict[str, int]


class CensusAgent(BaseAgent[Job, AgentResult]):
    """Counts a model's layers by type."""

    config_class = CensusConfig
    config: CensusConfig

    def get_agent_role(self) -> str:
        """What it is for."""
        return "You count the layers of PyTorch models."

    def execute(self, input_data: Job) -> AgentResult:
        """Count, and report one table and one measurement."""
        assert input_data.case is not None
        with current_run().step("count layers"):
            layers = count_layers(input_data.case, leaves_only=self.config.leaves_only)
        return AgentResult(
            metrics=CensusMetrics(layers=layers),
            measurements=[Measurement(label="eager", metric="layers", value=sum(layers.values()))],
            blocks=[
                TableBlock(
                    title=f"layers of {input_data.case}",
                    columns=["type", "count"],
                    rows=[[name, str(count)] for name, count in layers.items()],
                )
            ],
        )
