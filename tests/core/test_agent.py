"""The agent's base class: typed settings, names, and language models' answers."""

from typing import Any

import pytest

from netwright.agent import BaseAgent
from netwright.config import Config
from netwright.errors import UserError


class DialConfig(Config):
    level: int = 3


class SafeDialAgent(BaseAgent[int, int]):
    config_class = DialConfig
    config: DialConfig

    def get_agent_role(self) -> str:
        return "You turn a dial."

    def execute(self, input_data: int) -> int:
        return input_data + self.config.level


def test_settings_are_typed() -> None:
    assert SafeDialAgent().execute(1) == 4
    assert SafeDialAgent({"level": 5}).execute(1) == 6
    assert SafeDialAgent(DialConfig(level=7)).execute(1) == 8
    with pytest.raises(UserError, match=r"unknown key 'agent.levle'; did you mean 'level'\?"):
        SafeDialAgent({"levle": 5})


def test_name_comes_from_the_class() -> None:
    assert SafeDialAgent().agent_name == "safe_dial"


@pytest.mark.parametrize(
    ("answer", "success", "reasoning", "confidence"),
    [
        ('{"reasoning": "because", "confidence": 0.5}', True, "because", 0.5),
        ('Sure:\n```json\n{"success": false, "reasoning": "no"}\n```', False, "no", 0.0),
        ("I would rather not", False, "I would rather not", 0.0),
        ('{"reasoning": "cut', False, '{"reasoning": "cut', 0.0),
    ],
)
def test_answers_are_parsed(answer: str, success: bool, reasoning: str, confidence: float) -> None:
    context: dict[str, Any] = {}
    response = SafeDialAgent().parse_llm_response(answer, context)
    assert (response.success, response.reasoning, response.confidence) == (success, reasoning, confidence)
    assert response.agent_name == "safe_dial"
