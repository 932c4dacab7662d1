"""The settings under `llm`: which language model, how it is asked, and what it may cost."""

import shlex
import shutil
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from netwright.config import Config
from netwright.errors import UserError, unknown_name
from netwright.llm.redact import Redactor

BACKENDS = ("none", "litellm", "command", "replay")
TRANSCRIPT = "calls.jsonl"
OWNERS = {
    "model": "litellm",
    "api_base": "litellm",
    "api_key_variable": "litellm",
    "price": "litellm",
    "command": "command",
    "folder": "replay",
}
"""Which backend a setting belongs to; any other setting is for all of them."""


class CapsConfig(Config):
    """What one run may spend; the first cap that is reached ends the model's part in it. null is no cap."""

    calls: int | None = Field(default=200, ge=0)
    """Requests sent, retries included."""
    tokens: int | None = Field(default=None, ge=0)
    """Prompt and answer tokens together."""
    cost: float | None = Field(default=None, ge=0)
    """US dollars."""
    seconds: float | None = Field(default=None, ge=0)
    """Time spent waiting for the model, pauses between retries included."""


class PriceConfig(Config):
    """What a model costs, where litellm's price list does not know it."""

    input: float = Field(ge=0)
    """US dollars per million prompt tokens."""
    output: float = Field(ge=0)
    """US dollars per million answer tokens."""


class LlmConfig(Config):
    """The language model of a run.

    Raises:
        UserError: The backend is unknown, or a setting belongs to another one.
    """

    backend: Literal["none", "litellm", "command", "replay"] = "none"
    """none: rules decide. litellm: a provider or a server of your own. command: a program. replay: a recording."""
    model: str | None = None
    """The model as litellm names it: PROVIDER/MODEL, e.g. openai/gpt-4o-mini, anthropic/..., ollama/..."""
    api_base: str | None = None
    """The address of a server of your own, e.g. http://127.0.0.1:8000/v1; null is the provider's."""
    api_key_variable: str | None = None
    """The environment variable that holds the key; null is the provider's own, and none at all with api_base."""
    price: PriceConfig | None = None
    command: str | list[str] | None = None
    """The command-line model, e.g. "claude -p": it reads the prompt from standard input and prints the answer."""
    folder: Path | None = None
    """The run folder to replay, or the llm folder inside it."""
    temperature: float | None = Field(default=0.0, ge=0)
    """null leaves it to the provider."""
    max_output_tokens: int | None = Field(default=None, gt=0)
    stream: bool = False
    """Collect the answer piece by piece and show how far it is."""
    timeout: float = Field(default=300, gt=0)
    """Seconds that one request may take."""
    retries: int = Field(default=4, ge=0)
    """How often a request is repeated that was cut off, timed out, or was answered with 408, 409, 429 or 5xx."""
    backoff: float = Field(default=1.0, ge=0)
    """Seconds before the first repetition; they double each time, with jitter, unless the server names a time."""
    repairs: int = Field(default=2, ge=0)
    """How often an answer that does not fit its schema is sent back with its errors."""
    rounds: int = Field(default=8, ge=0)
    """How often a model may call tools before it must answer."""
    repeats: int = Field(default=3, gt=0)
    """How often one question, or one tool call, may have the same outcome before the model is stopped."""
    cache: Literal["on", "off", "refresh"] = "on"
    """on: answers are kept on disk and used again. refresh: they are asked for anew and kept."""
    caps: CapsConfig = CapsConfig()

    @field_validator("backend", mode="before")
    @classmethod
    def _known_backend(cls, value: object) -> object:
        if value not in BACKENDS:
            raise unknown_name("language model backend", str(value), BACKENDS)
        return value

    @field_validator("cache", mode="before")
    @classmethod
    def _unquoted_switch(cls, value: object) -> object:
        """YAML reads an unquoted on or off as a truth value."""
        return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value

    @field_validator("api_base")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it is no address such as http://127.0.0.1:8000/v1")
        if parts.username or parts.password:
            raise UserError(
                "'llm.api_base' holds a name or password",
                why="settings are kept in the run's files",
                remedy="put the key into an environment variable and name that: llm.api_key_variable=NAME",
            )
        return value

    @field_validator("command")
    @classmethod
    def _holds_no_secret(cls, value: str | list[str] | None) -> str | list[str] | None:
        for word in [value] if isinstance(value, str) else value or []:
            if Redactor().conceal(word) != word:
                raise UserError(
                    "'llm.command' holds what looks like a key",
                    why="settings are kept in the run's files",
                    remedy="put it into .env: the command finds those variables in its environment",
                )
        return value

    @model_validator(mode="after")
    def _settings_fit_the_backend(self) -> Self:
        for key, owner in OWNERS.items():
            if owner != self.backend and getattr(self, key) is not None:
                raise UserError(
                    f"'llm.{key}' is set, but the backend is '{self.backend}'",
                    why="no language model is configured" if self.backend == "none" else f"it is for '{owner}'",
                    remedy=f"add llm={owner}",
                )
        needed = {"litellm": "model", "command": "command", "replay": "folder"}.get(self.backend)
        if needed and not getattr(self, needed):
            example = {"model": "openai/gpt-4o-mini", "command": '"claude -p"', "folder": "outputs/DAY/RUN/llm"}[needed]
            raise UserError(f"'llm.{needed}' is missing", remedy=f"llm={self.backend} needs llm.{needed}={example}")
        if self.backend == "command" and (self.caps.tokens is not None or self.caps.cost is not None):
            raise UserError(
                f"'llm.caps.{'tokens' if self.caps.tokens is not None else 'cost'}' cannot be kept",
                why="a command reports neither tokens nor money",
                remedy="use llm.caps.calls or llm.caps.seconds",
            )
        return self

    @property
    def argv(self) -> list[str]:
        """The words of the command."""
        return shlex.split(self.command) if isinstance(self.command, str) else list(self.command or [])

    @property
    def transcript(self) -> Path | None:
        """The file to replay, in `folder` or in the llm folder inside it."""
        if self.folder is None:
            return None
        inside = self.folder / "llm" / TRANSCRIPT
        return inside if inside.is_file() else self.folder / TRANSCRIPT

    def check(self) -> None:
        """Check what can be checked before a model is needed; no key is looked for and nothing is imported.

        Raises:
            UserError: The command does not exist, or there is no recording to replay.
        """
        if self.argv and shutil.which(self.argv[0]) is None:
            raise UserError(
                f"there is no command '{self.argv[0]}'",
                why="llm.command names it",
                remedy="install it or name its path",
            )
        if self.transcript is not None and not self.transcript.is_file():
            why = "no such folder" if self.folder and not self.folder.is_dir() else f"it holds no {TRANSCRIPT}"
            raise UserError(
                f"cannot replay {self.folder}",
                why=why,
                remedy="llm.folder names a run's folder or the llm folder in it",
            )
