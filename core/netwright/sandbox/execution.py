"""Running a program in a cage to its end."""

import json
import selectors
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import JsonValue

from netwright.context import current_run
from netwright.errors import NetwrightError
from netwright.files import cache_folder
from netwright.result import Record
from netwright.sandbox.child import Child, Ended, Resources, make_temporary, start
from netwright.sandbox.command import RESULT_FILE, VALUE_LIMIT, Command, Function, prepare
from netwright.sandbox.level import Level
from netwright.sandbox.limits import MIB, Limits
from netwright.sandbox.output import Output
from netwright.sandbox.reasons import Reason, explain
from netwright.sandbox.settings import current_settings
from netwright.sandbox.workspace import check_workspace, safe_read

SPILL_FOLDER = "sandbox"


class Completed(Record):
    """What became of a caged program."""

    exit_code: int
    """Negative for a signal."""
    reason: Reason
    detail: str
    """The reason in words, e.g. "more than 64 processes"; empty when all went well."""
    output: str
    """What it printed, standard output and errors together; of a long one the head and the tail."""
    output_file: Path | None
    """The whole output, up to the limit, when `output` is not all of it."""
    output_bytes: int
    resources: Resources
    level: Level
    """The level of confinement that was in force."""
    value: JsonValue = None
    """What a function returned."""

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.reason == "ok"


def run(
    command: Command,
    *,
    workspace: Path,
    limits: Limits | None = None,
    network: bool = False,
    level: Level | None = None,
    cuda: bool = False,
    environment: Mapping[str, str] | None = None,
    readable: Iterable[Path] = (),
    writable: Iterable[Path] = (),
    spill_folder: Path | None = None,
) -> Completed:
    """Run a program in a cage until it and everything that it started has ended.

    Args:
        command: A command line as a list, a `Source`, or a `Function`.
        spill_folder: Where a long output is written; None takes the run's folder or, where the program could reach
            that, the cache.
        workspace, limits, network, level, cuda, environment, readable, writable: As for `start`.

    Raises:
        UserError: As `start`; or a function's file or arguments are wrong.
        NetwrightError: The cage could not be built.
    """
    limits = limits or current_settings().limits
    writable = list(writable)
    folder = check_workspace(workspace)
    temporary = make_temporary()
    try:
        argv, variables, needed = prepare(command, folder, temporary)
        child = start(
            argv,
            workspace=folder,
            limits=limits,
            network=network,
            level=level,
            cuda=cuda,
            environment=variables | dict(environment or {}),
            readable=[*needed, *readable],
            writable=writable,
            temporary=temporary,
        )
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    most = None if limits.output_mib is None else int(limits.output_mib * MIB)
    place = spill_folder or _spill_folder([folder, *writable])
    with child, Output(place, most) as output:
        try:
            ended = _collect(child, output)
        except NetwrightError as error:
            raise NetwrightError(error.what, why=output.tail().strip() or error.why) from None
        reason, detail = explain(ended, limits, output.tail(), full=output.is_full)
        value: JsonValue = None
        if isinstance(command, Function) and reason == "ok":
            try:
                value = _read_value(temporary)
            except NetwrightError as error:
                reason, detail = "failed", str(error)
        return Completed(
            exit_code=ended.exit_code,
            reason=reason,
            detail=detail,
            output=output.text(),
            output_file=output.file,
            output_bytes=output.size,
            resources=ended.resources,
            level=child.level,
            value=value,
        )


def _collect(child: Child, output: Output) -> Ended:
    """Read what the program prints until it has ended, or has printed too much."""
    with selectors.DefaultSelector() as selector:
        selector.register(child.output, selectors.EVENT_READ)
        selector.register(child, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if child.output in ready and not output.take(child.output.fileno()):
                break
            if child.output not in ready:  # everything was read, and all writers have ended
                break
    if output.is_full:
        child.kill()
    return child.wait()


def _read_value(temporary: Path) -> JsonValue:
    text = safe_read(temporary, RESULT_FILE, limit=VALUE_LIMIT)
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        raise NetwrightError("the function's result is no JSON") from None
    return value


def _spill_folder(reachable: Iterable[Path]) -> Path:
    """Where the program cannot change it: below the run's folder, or else in the cache."""
    run_folder = current_run().folder
    if run_folder is not None:
        place = run_folder.path / SPILL_FOLDER
        if not any(place.is_relative_to(path.resolve()) for path in reachable):
            return place
    return cache_folder(SPILL_FOLDER)
