"""The Populate Parameters Agent: values for what a module requires, by rules first, by a command-line model last."""

import json
import logging
import shlex
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from netwright.config import parse_config
from netwright.context import RunContext, use_run
from netwright.errors import NetwrightError, UserError
from netwright.files import cannot_write, utc_now, write_json
from netwright.llm.config import TRANSCRIPT, LlmConfig
from netwright.llm.errors import LanguageModelError
from netwright.llm.transcript import CallRecord, read_records
from netwright.runfolder import RunFolder
from netwright_predictor.population.ask import populate_or_ask
from netwright_predictor.population.errors import (
    AgentFailedError,
    MissingParameterError,
    ParameterError,
    ParameterTypeError,
)
from netwright_predictor.population.provenance import Populated, Provenance
from netwright_predictor.population.rules import check_runtime
from netwright_predictor.population.types import check_required
from netwright_predictor.structure.architecture import read_architecture
from netwright_predictor.structure.parse import parse_structure

logger = logging.getLogger(__name__)

ROLE = "You populate the parameters that a module needs so that its FLOPs and memory can be computed."
TIMEOUT = 300
"""Seconds that one request to the command-line model may take."""


class PopulateParametersAgent:
    """Populates required parameters from configuration, structure, architecture and run-time values.

    Rules come first; only what none of them resolves is put to the command-line model, which gets the variables of
    `.env` in its environment. Its answer is held against the inputs before it is accepted.

    Args:
        claude_command: The command-line model, with arguments if you like: it reads the prompt from standard input and
            prints its answer. Claude Code runs headless (`-p` is added where it is missing), and skips permissions only
            if the command says so itself.
        output_file: Where the values are written as JSON. Diagnostics of a failure go beside it, to a file whose name
            ends in `_diagnostics.json`.

    Raises:
        ParameterTypeError: (a TypeError) An argument is no text.
        ParameterError: (a ValueError) An argument is empty, or the command's quotes do not match.
    """

    def __init__(self, claude_command: str = "claude", output_file: str = "populated_parameters.json") -> None:
        for name, value in (("claude_command", claude_command), ("output_file", output_file)):
            _check_text(name, value)
        try:
            settings = {"backend": "command", "command": headless(claude_command), "timeout": TIMEOUT, "cache": "off"}
            self._llm = parse_config(LlmConfig, settings, path="llm")
        except (ValueError, UserError) as error:
            raise ParameterError("claude_command cannot be used", why=str(error)) from None
        self._output = Path(output_file)
        self._diagnostics = self._output.with_name(f"{self._output.stem}_diagnostics.json")
        self._provenance: Mapping[str, Provenance] = {}

    @property
    def provenance(self) -> Mapping[str, Provenance]:
        """How each value of the last call is known; empty before the first and after a failed one."""
        return self._provenance

    def populate_parameters_with_agent(
        self,
        module_class: str,
        required_parameters: dict[str, str],
        model_config: dict[str, Any],
        enhanced_model_structure: str,
        architecture_json: dict[str, Any],
        runtime_parameters: dict[str, int] | None = None,
    ) -> dict[str, Any]:
        """The value of every required parameter, also written to the output file.

        Args:
            module_class: Full path of the module's class.
            required_parameters: Names to Python type names, as `get_required_parameters()` says it.
            model_config: As `AutoConfig.from_pretrained(...).to_dict()` gives it.
            enhanced_model_structure: The model as text, or "" where there is none.
            architecture_json: As `model_representation_schema.json` describes it, or {} where there is none.
            runtime_parameters: Such as {"B": 16, "S": 512}.

        Raises:
            ValueError: A required parameter has no value (the message names it and what was tried), or a value cannot
                be.
            TypeError: An input or a value has the wrong type; the message names it and the expected type.
            RuntimeError: The command-line model failed, or its answer cannot be used.
            UserError: The output cannot be written, or a file of the user's stands in its place.
        """
        started = time.perf_counter()
        self._provenance = {}
        self._remove_earlier_files()
        conversation: list[dict[str, Any]] = []
        try:
            validate(module_class, required_parameters, model_config, enhanced_model_structure, architecture_json)
            check_runtime(runtime_parameters)
            populated = self._populate(
                conversation,
                required=required_parameters,
                config=model_config,
                runtime=runtime_parameters,
                structure=enhanced_model_structure,
                architecture=architecture_json,
                module_class=module_class,
            )
        except (ValueError, TypeError, RuntimeError) as error:
            logger.error("%s: %s", module_class, error)
            self._diagnose(error, module_class, required_parameters, conversation, time.perf_counter() - started)
            raise
        values = dict(populated.values)
        write_json(self._output, values)
        self._provenance = populated.provenance
        log_mappings(populated.provenance)
        logger.info("%s: %d parameters populated in %.3f s", module_class, len(values), time.perf_counter() - started)
        return values

    def _populate(self, conversation: list[dict[str, Any]], **inputs: Any) -> Populated:
        """Ask where rules do not suffice; what was said is put into `conversation`, secrets taken out."""
        with TemporaryDirectory(prefix="netwright-") as name:
            folder = RunFolder(Path(name))
            run = RunContext(folder=folder, llm=self._llm, role=ROLE, console=Console(quiet=True))
            try:
                with use_run(run):
                    return self._ask_if_there(run, **inputs)
            except MissingParameterError as error:
                failure = error.__cause__
                if not isinstance(failure, LanguageModelError):
                    raise
                raise AgentFailedError(
                    f"the command-line model did not give {_listed(error.tried)}", why=str(failure)
                ) from failure
            finally:
                for record in read_records(folder.llm / TRANSCRIPT):
                    if isinstance(record, CallRecord):
                        conversation.append(_said(record))
                        logger.info("the command-line model was asked: %s", json.dumps(conversation[-1]))

    def _ask_if_there(self, run: RunContext, **inputs: Any) -> Populated:
        command = self._llm.argv[0]
        if shutil.which(command) is not None:
            return populate_or_ask(run=run, **inputs)
        try:
            return populate_or_ask(run=RunContext(console=run.console), **inputs)  # rules alone
        except MissingParameterError as error:
            asked = f"no model could be asked: there is no command '{command}'"
            raise MissingParameterError(error.tried, error.types, asked=asked) from None

    def _remove_earlier_files(self) -> None:
        """Remove what an earlier run of this agent left.

        Raises:
            UserError: Another file stands in its place.
        """
        for path in (self._output, self._diagnostics):
            try:
                if not (path.is_symlink() or path.exists()):
                    continue
                if not _is_ours(path):
                    raise UserError(
                        f"{path} is not overwritten",
                        why="it is no output of this agent, which is a file with one JSON object",
                        remedy="choose another output_file",
                    )
                path.unlink()
            except OSError as error:
                raise cannot_write(path, error) from error

    def _diagnose(
        self,
        error: Exception,
        module_class: object,
        required: object,
        conversation: list[dict[str, Any]],
        seconds: float,
    ) -> None:
        diagnostics = {
            "time": utc_now().isoformat(),
            "module_class": str(module_class),
            "required_parameters": str(required),
            "error": {"type": type(error).__name__, "message": str(error)},
            "tried": error.tried if isinstance(error, MissingParameterError) else {},
            "command": self._llm.argv,
            "conversation": conversation,
            "seconds": round(seconds, 3),
        }
        try:
            write_json(self._diagnostics, json.loads(json.dumps(diagnostics, default=str)))
        except NetwrightError as failure:
            logger.error("no diagnostics: %s", failure)


def headless(command: str) -> list[str]:
    """The words of the command, with the flag that lets Claude Code answer one prompt and end.

    Raises:
        ValueError: Its quotes do not match.
    """
    argv = shlex.split(command)
    is_claude = bool(argv) and Path(argv[0]).name == "claude"
    return [*argv, "-p"] if is_claude and not {"-p", "--print"} & set(argv) else argv


def validate(
    module_class: object,
    required_parameters: object,
    model_config: object,
    enhanced_model_structure: object,
    architecture_json: object,
) -> None:
    """Check every input before any is used.

    Raises:
        ParameterTypeError: One has the wrong type; the message says which, and what it must be.
        ParameterError: One has no possible content.
    """
    _check_text("module_class", module_class)
    check_required(required_parameters)
    if not isinstance(model_config, Mapping):
        raise ParameterTypeError(f"model_config must be dict, not {type(model_config).__name__}")
    if not isinstance(enhanced_model_structure, str):
        raise ParameterTypeError(f"enhanced_model_structure must be str, not {type(enhanced_model_structure).__name__}")
    if not isinstance(architecture_json, Mapping):
        raise ParameterTypeError(f"architecture_json must be dict, not {type(architecture_json).__name__}")
    try:
        if enhanced_model_structure.strip():
            parse_structure(enhanced_model_structure)
        if architecture_json:
            read_architecture(architecture_json)
    except UserError as error:
        raise ParameterError(error.what, why=error.why, remedy=error.remedy) from None


def log_mappings(provenance: Mapping[str, Provenance]) -> None:
    """Log how each value is known: mappings, fallbacks, formulas."""
    for each in provenance.values():
        kind = {"default": "fallback", "derived": "formula", "model": "model's answer"}.get(each.rule, "mapping")
        logger.info("%s: %s", kind, each)


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ParameterTypeError(f"{name} must be str, not {type(value).__name__}")
    if not value.strip():
        raise ParameterError(f"{name} is empty")


def _is_ours(path: Path) -> bool:
    """Whether a file can be an earlier output: a plain file with one JSON object."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except (OSError, ValueError):
        return False


def _said(record: CallRecord) -> dict[str, Any]:
    return {
        "prompt": [message.model_dump(mode="json", include={"role", "content"}) for message in record.request.messages],
        "answer": record.answer.text if record.answer else None,
        "failure": record.failure,
        "seconds": record.seconds,
    }


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(f"'{name}'" for name in names)
