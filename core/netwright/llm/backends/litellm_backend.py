"""litellm: any provider, or a server of one's own that speaks OpenAI's protocol; imported on first use."""

import logging
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from netwright.errors import MissingDependencyError, UserError, nearest
from netwright.llm.backends.backend import Progress
from netwright.llm.clock import Clock
from netwright.llm.config import LlmConfig
from netwright.llm.errors import RefusedError
from netwright.llm.keys import NO_KEY, credentials, find_key
from netwright.llm.messages import Answer, Message, Request, ToolCall, Usage
from netwright.llm.retry import PassingError

PASSING = frozenset({408, 409, 429})
"""HTTP statuses below 500 that may pass by themselves."""
WRONG_SETTINGS = frozenset({401, 403, 404, 405})
"""HTTP statuses that mean a wrong key, model or address where no request was answered before."""
LETTERS_PER_TOKEN = 4
MILLION = 1_000_000


@cache
def load_litellm() -> ModuleType:
    """litellm without its banners, its logs, its telemetry, its reading of `.env`, and its look at the network.

    Raises:
        MissingDependencyError: It is not installed.
    """
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches its price list while it is imported
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")  # else it puts .env into this process's environment
    try:
        import litellm
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "the backend 'litellm' is not installed", why=str(error), remedy="pip install 'netwright[llm]'"
        ) from None
    warnings.filterwarnings("ignore", message=r"Item '.*' on TypedDict class|Pydantic serializer warnings")
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


class LitellmBackend:
    """One model behind litellm.

    Args:
        seed: Asked for where the provider takes one, so that seeds of a sweep differ and reruns agree.
        env_files: Where keys are looked for beside the environment.
    """

    def __init__(self, config: LlmConfig, *, seed: int, env_files: Sequence[Path], clock: Clock) -> None:
        assert config.model is not None
        self.name = config.model
        self._config = config
        self._seed = seed
        self._env_files = env_files
        self._clock = clock
        self._credentials: dict[str, str] = {}

    def identity(self) -> dict[str, Any]:
        """The model, its address and how it is sampled."""
        config = self._config
        return {
            "backend": "litellm",
            "model": config.model,
            "api_base": config.api_base,
            "temperature": config.temperature,
            "max_output_tokens": config.max_output_tokens,
            "seed": self._seed,
        }

    def prepare(self) -> None:
        """Look for the provider, the key and, where money is capped, the price.

        Raises:
            UserError: One of them is missing.
        """
        litellm = load_litellm()
        self._check_provider(litellm)
        config = self._config
        if config.api_key_variable is not None:
            self._credentials = {"api_key": find_key(config.api_key_variable, self._env_files, model=self.name)}
        elif config.api_base is not None:  # a provider's key is not for a server of one's own
            self._credentials = {"api_key": NO_KEY}
        else:
            missing = litellm.validate_environment(self.name)["missing_keys"]
            self._credentials = credentials(missing, self._env_files, model=self.name)
        if config.caps.cost is not None and self._cost(1, 1) is None:
            raise UserError(
                f"'llm.caps.cost' is set, but the price of '{self.name}' is not known",
                why="litellm's price list does not have it",
                remedy="add 'llm.price={input: X, output: Y}' in US dollars per million tokens",
            )

    def send(self, request: Request, *, timeout: float, first: bool, progress: Progress) -> Answer:
        """Put one request over HTTP; raises as `Backend.send`."""
        litellm = load_litellm()
        try:
            if self._config.stream:
                return self._streamed(litellm, request, timeout, progress)
            return self._answer(litellm.completion(**self._arguments(litellm, request, timeout)), request)
        except import_module("openai").OpenAIError as error:  # the base of all that litellm raises on purpose
            raise self._explained(error, first=first) from error
        except (PassingError, UserError):
            raise
        except Exception as error:  # litellm stumbles in many ways over what is no chat completion
            raise RefusedError(f"the answer of {self.name} cannot be read", why=_one_line(error)) from error

    def _arguments(self, litellm: ModuleType, request: Request, timeout: float) -> dict[str, Any]:
        config = self._config
        arguments: dict[str, Any] = {
            "model": self.name,
            "messages": [_message(message) for message in request.messages],
            "timeout": float(timeout),
            "seed": self._seed,
            "max_retries": 0,
            "num_retries": 0,
            "drop_params": True,
            **self._credentials,
        }
        optional = {
            "api_base": config.api_base,
            "temperature": config.temperature,
            "max_tokens": config.max_output_tokens,
        }
        arguments |= {name: value for name, value in optional.items() if value is not None}
        if request.tools:
            arguments["tools"] = [
                {"type": "function", "function": tool.model_dump(mode="json")} for tool in request.tools
            ]
        elif request.json_schema is not None and litellm.supports_response_schema(self.name):
            wanted = {"name": "answer", "schema": request.json_schema, "strict": False}
            arguments["response_format"] = {"type": "json_schema", "json_schema": wanted}
        return arguments

    def _streamed(self, litellm: ModuleType, request: Request, timeout: float, progress: Progress) -> Answer:
        arguments = self._arguments(litellm, request, timeout)
        pieces = []
        until = self._clock.monotonic() + timeout
        letters = 0
        stream = litellm.completion(**arguments, stream=True, stream_options={"include_usage": True})
        for piece in stream:
            pieces.append(piece)
            letters += len(piece.choices[0].delta.content or "") if piece.choices else 0
            progress(letters)
            if self._clock.monotonic() > until:
                raise PassingError(f"the answer was not complete after {timeout:g} s")
        if stream.received_finish_reason is None:
            if letters:
                raise PassingError("the connection was cut in the middle of the answer")
            return self._answer(litellm.completion(**arguments), request)  # a server that does not stream, or no server
        return self._answer(litellm.stream_chunk_builder(pieces, messages=arguments["messages"]), request)

    def _answer(self, response: Any, request: Request) -> Answer:
        choice = response.choices[0]
        text = choice.message.content or ""
        calls = tuple(
            ToolCall(id=call.id or f"call_{index}", name=call.function.name or "", arguments=call.function.arguments)
            for index, call in enumerate(choice.message.tool_calls or ())
        )
        return Answer(
            text=text,
            tool_calls=calls,
            model=self.name,
            usage=self._usage(getattr(response, "usage", None), request, text),
            truncated=choice.finish_reason == "length",
        )

    def _usage(self, reported: Any, request: Request, text: str) -> Usage:
        prompt, answer = getattr(reported, "prompt_tokens", 0) or 0, getattr(reported, "completion_tokens", 0) or 0
        estimated = prompt + answer == 0
        if estimated:
            prompt = _estimate(message.content for message in request.messages)
            answer = _estimate([text])
        return Usage(
            prompt_tokens=prompt, answer_tokens=answer, cost=self._cost(prompt, answer, reported), estimated=estimated
        )

    def _cost(self, prompt: int, answer: int, reported: Any = None) -> float | None:
        """US dollars by the configured price, else by litellm's list; None where neither knows the model."""
        price = self._config.price
        if price is not None:
            return (prompt * price.input + answer * price.output) / MILLION
        litellm = load_litellm()
        try:
            per_part = litellm.cost_per_token(
                model=self.name, prompt_tokens=prompt, completion_tokens=answer, usage_object=reported
            )
        except Exception:  # litellm raises a bare Exception for a model that it does not know
            return None
        return float(sum(per_part))

    def _check_provider(self, litellm: ModuleType) -> None:
        try:
            litellm.get_llm_provider(self.name, api_base=self._config.api_base)
        except litellm.BadRequestError:
            providers = [str(getattr(provider, "value", provider)) for provider in litellm.provider_list]
            guess = nearest(self.name.partition("/")[0], providers)
            raise UserError(
                f"'llm.model' cannot be '{self.name}'",
                why="it names no provider that litellm knows",
                remedy=f"write PROVIDER/MODEL{f', such as {guess}/...' if guess else ', such as openai/gpt-4o-mini'}",
            ) from None

    def _explained(self, error: Any, *, first: bool) -> Exception:
        """What litellm raised, as what it means for the run."""
        status = int(getattr(error, "status_code", None) or 500)
        reason = _one_line(error)
        if _is_web_page(error):
            if first and status not in (429, 502, 503, 504):
                return self._answers_html()
            reason = f"HTTP {status} with a web page"
        if first and status in WRONG_SETTINGS:
            return self._wrong_settings(status, reason)
        if status in PASSING or status >= 500:
            headers: Mapping[str, str] = getattr(error, "litellm_response_headers", None) or {}
            return PassingError(reason, headers.get("retry-after"))
        return RefusedError(f"the language model refuses the request (HTTP {status})", why=reason)

    def _answers_html(self) -> UserError:
        address = self._config.api_base
        if address is None:
            return UserError(f"the provider of {self.name} answers with a web page", remedy="is a proxy in between?")
        return UserError(
            f"llm.api_base={address} answers with a web page (HTML)",
            why="it is no OpenAI-compatible API",
            remedy="name the API's own address; many servers have it below /v1",
        )

    def _wrong_settings(self, status: int, reason: str) -> UserError:
        config = self._config
        if status in (401, 403):
            variable = config.api_key_variable
            if variable is None and config.api_base is not None:
                remedy = "name the variable that holds its key: llm.api_key_variable=NAME"
            else:
                remedy = f"check the key in {variable or 'the environment or .env'}"
            return UserError(f"{self.name} refuses the key (HTTP {status})", why=reason, remedy=remedy)
        remedy = f"check llm.model and llm.api_base={config.api_base}" if config.api_base else "check llm.model"
        return UserError(f"there is no {self.name} (HTTP {status})", why=reason, remedy=remedy)


def _message(message: Message) -> dict[str, Any]:
    """A message in OpenAI's format."""
    values: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        values["content"] = message.content or None
        values["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        values["tool_call_id"] = message.tool_call_id
    return values


def _is_web_page(error: Any) -> bool:
    """Whether HTML came instead of an answer; some versions of litellm quote it, others only keep the headers."""
    headers: Mapping[str, str] = getattr(error, "litellm_response_headers", None) or {}
    text = str(error).lower()
    return "text/html" in headers.get("content-type", "") or "<html" in text or "<!doctype" in text


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]}..."


def _estimate(texts: Iterable[str]) -> int:
    return -(-sum(map(len, texts)) // LETTERS_PER_TOKEN)
