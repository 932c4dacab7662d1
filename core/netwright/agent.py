"""The agent: the base class of everything that decides and acts."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from netwright.cases import CaseOptions
from netwright.config import Config, parse_config
from netwright.result import AgentResult

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


@dataclass(frozen=True)
class Job:
    """What `netwright run` asks of an agent.

    Attributes:
        case: The case's name, or None for an agent that needs none.
        case_options: How to build it.
        baselines: The names of the baselines to compare, in order.
        baseline_options: Per baseline name, the values of its own options.
        seed: The only seed; everything random derives from it.
    """

    case: str | None = None
    case_options: CaseOptions = field(default_factory=CaseOptions)
    baselines: tuple[str, ...] = ()
    baseline_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class AgentResponse:
    """A language model's answer to an agent, parsed."""

    success: bool
    reasoning: str
    recommendations: dict[str, Any]
    confidence: float
    safety_checks: dict[str, Any]
    warnings: list[str]
    timestamp: str
    agent_name: str


class BaseAgent(ABC, Generic[InputT, OutputT]):
    """An agent: typed configuration in, typed result out.

    A registered agent is a `BaseAgent[Job, AgentResult]`. Agents that only other agents call may take and
    return whatever their callers agreed on.

    Args:
        config: The agent's settings, or a mapping that validates as such.

    Raises:
        UserError: A setting is unknown or of the wrong type.
    """

    config_class: ClassVar[type[Config]] = Config

    def __init__(self, config: Config | Mapping[str, Any] | None = None) -> None:
        values = config.model_dump() if isinstance(config, Config) else dict(config or {})
        self.config = parse_config(self.config_class, values, path="agent")

    @property
    def agent_name(self) -> str:
        """The class's name in snake case, without "agent" at its end."""
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()
        return words.removesuffix("_agent")

    @abstractmethod
    def get_agent_role(self) -> str:
        """One sentence that says what this agent is for; it opens every prompt."""

    @abstractmethod
    def execute(self, input_data: InputT) -> OutputT:
        """Do the work."""

    def parse_llm_response(self, response: str, context: dict[str, Any]) -> AgentResponse:  # noqa: ARG002 - for overriders
        """Read a language model's JSON answer; an answer that is not JSON is kept as reasoning, unsuccessful."""
        from netwright.files import utc_now

        try:
            answer = json.loads(response[response.index("{") : response.rindex("}") + 1])
        except ValueError:
            answer = {"success": False, "reasoning": response, "warnings": ["the answer holds no JSON object"]}
        return AgentResponse(
            success=bool(answer.get("success", True)),
            reasoning=str(answer.get("reasoning", "")),
            recommendations=dict(answer.get("recommendations", {})),
            confidence=float(answer.get("confidence", 0.0)),
            safety_checks=dict(answer.get("safety_checks", {})),
            warnings=[str(warning) for warning in answer.get("warnings", [])],
            timestamp=utc_now().isoformat(),
            agent_name=self.agent_name,
        )


JobAgent = BaseAgent[Job, AgentResult]
