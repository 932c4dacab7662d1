"""Making the language model that the settings ask for."""

import random
from collections.abc import Iterable
from pathlib import Path

from netwright.llm.asker import Asker, LiveAsker
from netwright.llm.backends.backend import Backend
from netwright.llm.backends.none import NoAsker
from netwright.llm.cache import AnswerCache
from netwright.llm.clock import Clock
from netwright.llm.config import LlmConfig
from netwright.llm.envfile import env_files, read_env_files
from netwright.llm.ledger import Ledger
from netwright.llm.loops import LoopGuard
from netwright.llm.messages import Usage
from netwright.llm.model import LanguageModel
from netwright.llm.redact import Redactor, environment_secrets
from netwright.llm.retry import Retrying
from netwright.llm.transcript import CallRecord, ToolRecord, Transcript


def create_model(
    config: LlmConfig,
    *,
    folder: Path | None = None,
    workspace: Path | None = None,
    seed: int = 0,
    backend: Backend | None = None,
    clock: Clock | None = None,
) -> LanguageModel:
    """The language model of a run; nothing is imported, sent or looked for until it is asked.

    Args:
        folder: The run's folder; transcripts go to `llm` in it. None keeps none.
        workspace: Where the run works, by default the current folder; a `.env` there may hold keys.
        backend: Takes the place of the one that the settings name, as test kits need.
        clock: What retries and the cap on time go by.

    Raises:
        UserError: The command or the recording is not there.
    """
    config.check()
    clock = clock or Clock()
    workspace = workspace or Path.cwd()
    files = env_files(workspace, Path.cwd())
    places = {"home": Path.home(), "workspace": workspace.resolve(), **({"run": folder.resolve()} if folder else {})}
    redactor = Redactor(environment_secrets(read_env_files(files)), places)
    transcript = Transcript(folder / "llm" if folder else None)
    asker: Asker
    if backend is None and config.backend == "none":
        asker = NoAsker()
    elif backend is None and config.transcript is not None:
        from netwright.llm.backends.replay import ReplayAsker

        asker = ReplayAsker(config.transcript, transcript=transcript, redactor=redactor)
    else:
        backend = backend or _backend(config, seed, files, clock)
        asker = LiveAsker(
            backend,
            cache=AnswerCache(backend.identity(), mode=config.cache),
            ledger=Ledger(config.caps, _spent(transcript.records())),
            retrying=Retrying(config.retries, config.backoff, clock, random.Random()),
            guard=LoopGuard("one question had the same answer", config.repeats),
            transcript=transcript,
            redactor=redactor,
            timeout=config.timeout,
        )
    return LanguageModel(asker, repairs=config.repairs, rounds=config.rounds, repeats=config.repeats)


def _backend(config: LlmConfig, seed: int, files: list[Path], clock: Clock) -> Backend:
    if config.backend == "command":
        from netwright.llm.backends.command import CommandBackend

        return CommandBackend(config, env_files=files)
    from netwright.llm.backends.litellm_backend import LitellmBackend

    return LitellmBackend(config, seed=seed, env_files=files, clock=clock)


def _spent(records: Iterable[CallRecord | ToolRecord]) -> Iterable[tuple[Usage, float, int]]:
    """What an earlier process of the same run spent: usage, seconds and requests per call."""
    for record in records:
        if isinstance(record, CallRecord):
            yield record.answer.usage if record.answer else Usage(), record.seconds, record.sent
