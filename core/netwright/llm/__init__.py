"""The voice: language models that may take part in any decision, are never trusted, and are never needed.

Every name is imported on first use, so that importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright.llm.config import LlmConfig
    from netwright.llm.create import create_model
    from netwright.llm.errors import LanguageModelError
    from netwright.llm.messages import Message, Reply, ToolCall, Usage
    from netwright.llm.model import LanguageModel

_HOMES = {
    "LanguageModel": "netwright.llm.model",
    "LanguageModelError": "netwright.llm.errors",
    "LlmConfig": "netwright.llm.config",
    "Message": "netwright.llm.messages",
    "Reply": "netwright.llm.messages",
    "ToolCall": "netwright.llm.messages",
    "Usage": "netwright.llm.messages",
    "create_model": "netwright.llm.create",
}

__all__ = [
    "LanguageModel",
    "LanguageModelError",
    "LlmConfig",
    "Message",
    "Reply",
    "ToolCall",
    "Usage",
    "create_model",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
