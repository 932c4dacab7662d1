"""Archiving: a run closed into a bundle with the checksum of each of its files, and the check of such a bundle.

A bundle holds the whole run folder, `bundle.json` (what it is), `MANIFEST.sha256` (a checksum per file, in the format
of `sha256sum -c`) and `MANIFEST.sha256.digest` (the manifest's own checksum). The check finds every file that was
changed, removed or added since, and a manifest that was edited. It cannot prove who made the bundle: whoever can write
to it can compute all checksums anew. Against that, keep the manifest's digest somewhere else, or sign it.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path, PurePosixPath

import yaml
from rich.console import Group, RenderableType
from rich.text import Text

from netwright import __version__
from netwright.errors import NetwrightError, UserError
from netwright.files import cannot_write, file_checksum, replace_file, slug, write_json
from netwright.headline import headline_speedup
from netwright.report import write_report
from netwright.result import ErrorRecord, Record, Result
from netwright.runfolder import RunFolder, read_result

ABOUT = "bundle.json"
MANIFEST = "MANIFEST.sha256"
DIGEST = "MANIFEST.sha256.digest"
BACKSLASH = "\\"
ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}


class Bundle(Record):
    """What `bundle.json` says."""

    schema_version: int = 1
    name: str
    agent: str
    case: str | None
    config_hash: str
    speedup: float | None
    """That of the run's best label; None when it measured none."""
    left_out: list[str]
    """Links that lead out of the run folder, links to folders, and special files: their content is not here."""
    netwright: str
    """The version that made the bundle."""


class BundleCheck(Record):
    """A bundle's files held against its manifest; all paths are relative to the bundle."""

    name: str
    files: int
    """How many files the manifest lists."""
    digest: str
    """The manifest's own SHA-256 as it is now."""
    manifest_ok: bool
    """Whether the manifest is the one that was written with the bundle."""
    changed: list[str]
    missing: list[str]
    added: list[str]

    @property
    def ok(self) -> bool:
        """Whether the bundle is as it was made."""
        return self.manifest_ok and not (self.changed or self.missing or self.added)

    def __rich__(self) -> RenderableType:
        """The manifest's digest where all is well, else one line per difference."""
        if self.ok:
            verdict = Text(f"{self.name}: {self.files} files as archived", style="green")
            return Group(verdict, Text(f"manifest {self.digest}", style="dim"))
        lines = [] if self.manifest_ok else [f"changed: {MANIFEST}"]
        for kind, paths in (("changed", self.changed), ("missing", self.missing), ("added", self.added)):
            lines += [f"{kind}: {path}" for path in paths]
        return Group(*(Text(line, style="red") for line in [f"{self.name}: not as archived", *lines]))


def make_bundle(run_folder: Path, *, archive_root: Path = Path("archive"), experiment_name: str | None = None) -> Path:
    """Close a run into `archive_root/{timestamp}-{experiment_name}-{speedup}`.

    The timestamp is the run's start in UTC, the speed-up that of its best label (`1.66x`, or `na`). The bundle appears
    whole or not at all. Links inside the run folder become the files that they name; what leads out is left out.

    Args:
        experiment_name: By default the experiment that the run was composed from, or else its agent and case.

    Returns:
        The bundle's folder.

    Raises:
        UserError: `run_folder` holds no readable result, the bundle exists already, or it cannot be written.
    """
    run_folder, archive_root = run_folder.resolve(), archive_root.resolve()
    result = read_result(run_folder)
    if (run_folder / MANIFEST).exists():
        raise UserError(f"{run_folder} is a bundle already", remedy="archive the run's own folder")
    if archive_root.is_relative_to(run_folder):
        raise UserError(f"the archive {archive_root} lies inside the run folder", remedy="choose another with --root")
    speedup = headline_speedup(result)
    target = bundle_folder(run_folder, result, archive_root=archive_root, experiment_name=experiment_name)
    if target.exists():
        raise UserError(f"{target} exists already", remedy="give this bundle another name with --name")
    with _whole_folder(target) as folder:
        left_out = _copy_files(run_folder, folder)
        about = Bundle(
            name=target.name,
            agent=result.agent,
            case=result.case,
            config_hash=result.config_hash,
            speedup=speedup,
            left_out=left_out,
            netwright=__version__,
        )
        write_json(folder / ABOUT, about.model_dump(mode="json"))
        _write_manifest(folder / MANIFEST, {path: file_checksum(folder / path) for path in sorted(_files(folder))})
        _write_manifest(folder / DIGEST, {MANIFEST: file_checksum(folder / MANIFEST)})
    return target


def close_run(result: Result, folder: RunFolder, experiment_name: str | None, root: Path = Path("archive")) -> Result:
    """Bundle a run that has just ended, its result with the bundle's path in it; where that fails, the run says so.

    Its report is written with that.

    Returns:
        The result as it is now.
    """
    experiment, number = experiment_name or _experiment(folder.path, result), 1
    name = experiment
    while (bundle := bundle_folder(folder.path, result, archive_root=root.resolve(), experiment_name=name)).exists():
        number += 1
        name = f"{experiment}-{number}"  # another job of a sweep began in the same second
    named = {**result.artifacts, "bundle": Path(os.path.relpath(bundle, folder.path)).as_posix()}
    closed = result.model_copy(update={"artifacts": named})
    _leave(closed, folder)
    try:
        make_bundle(folder.path, archive_root=root, experiment_name=name)
    except UserError as error:
        record = ErrorRecord(where="archive", message=str(error))
        closed = result.model_copy(update={"status": "partial", "errors": [*result.errors, record]})
        _leave(closed, folder)
    return closed


def _leave(result: Result, folder: RunFolder) -> None:
    folder.write_result(result)
    write_report(folder.path)


def bundle_folder(
    run_folder: Path, result: Result, *, archive_root: Path = Path("archive"), experiment_name: str | None = None
) -> Path:
    """Where `make_bundle` puts the bundle of a run."""
    speedup = headline_speedup(result)
    stamp = result.started.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    experiment = slug(experiment_name or _experiment(run_folder, result)) or "run"
    return archive_root / f"{stamp}-{experiment}-{'na' if speedup is None else f'{speedup:.2f}x'}"


def verify_bundle(bundle: Path) -> BundleCheck:
    """Hold a bundle's files against its manifest, and the manifest against its digest; nothing is followed or run.

    Raises:
        UserError: There is no manifest in `bundle`.
        NetwrightError: The manifest is none any more.
    """
    manifest = _read_manifest(bundle / MANIFEST)
    digest = file_checksum(bundle / MANIFEST)
    try:
        written = _read_manifest(bundle / DIGEST)
    except NetwrightError:
        written = {}
    present = set(_files(bundle)) - {MANIFEST, DIGEST}
    return BundleCheck(
        name=bundle.resolve().name,
        files=len(manifest),
        digest=digest,
        manifest_ok=written == {MANIFEST: digest},
        changed=[path for path in sorted(present & set(manifest)) if _checksum(bundle / path) != manifest[path]],
        missing=sorted(set(manifest) - present),
        added=sorted(present - set(manifest)),
    )


@contextmanager
def _whole_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder beside `target` that takes its place when the block ends without an error."""
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
        yield temporary
        temporary.chmod(0o755)
        temporary.rename(target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _copy_files(source: Path, target: Path) -> list[str]:
    """Copy every file below `source`; return the paths of what is no file of its own there."""
    left_out = []
    for relative in sorted(_files(source)):
        path = source / relative
        if not path.resolve().is_relative_to(source) or not path.is_file():
            left_out.append(relative)
            continue
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target / relative)
    return left_out


def _files(folder: Path) -> Iterator[str]:
    """Everything below `folder` but real folders, as relative POSIX paths; links are not followed."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in (*names, *links):
            yield (Path(place) / name).relative_to(folder).as_posix()


def _checksum(path: Path) -> str | None:
    """The checksum of a file; None for what is no file of its own."""
    return None if path.is_symlink() or not path.is_file() else file_checksum(path)


def _experiment(run_folder: Path, result: Result) -> str:
    """The name of the experiment preset in the run's Hydra record, or the agent and the case."""
    try:
        record = yaml.safe_load((run_folder / ".hydra" / "hydra.yaml").read_text(encoding="utf-8"))
        choice = record["hydra"]["runtime"]["choices"]["experiment"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        choice = None
    return str(choice) if choice else "-".join(part for part in (result.agent, result.case) if part)


def _write_manifest(path: Path, checksums: Mapping[str, str]) -> None:
    """Write lines as sha256sum does: a backslash leads where a name had to be escaped."""
    lines = []
    for name, checksum in checksums.items():
        escaped = "".join(ESCAPES.get(letter, letter) for letter in name)
        lines.append(f"{'' if escaped == name else BACKSLASH}{checksum}  {escaped}\n")
    with replace_file(path) as temporary:
        temporary.write_bytes("".join(lines).encode(errors="surrogateescape"))  # a name need not be UTF-8


def _read_manifest(path: Path) -> dict[str, str]:
    """Checksum per path.

    Raises:
        UserError: It is missing.
        NetwrightError: A line is no checksum of a path inside the bundle.
    """
    try:
        lines = path.read_bytes().decode(errors="surrogateescape").split("\n")
    except OSError:
        raise UserError(f"no {path.name} in {path.parent}", why="it is no bundle, or a damaged one") from None
    table = {}
    for line in lines[:-1]:
        match = re.fullmatch(r"(\\?)([0-9a-f]{64})  (.+)", line)
        name = _unescape(match[3]) if match and match[1] else match[3] if match else ""
        if match is None or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise NetwrightError(f"{path} was changed", why=f"its line {line[:80]!r} is no checksum of a file in here")
        table[name] = match[2]
    return table


def _unescape(name: str) -> str:
    letters = {escape[1]: letter for letter, escape in ESCAPES.items()}
    return re.sub(r"\\(.)", lambda part: letters.get(part[1], part[0]), name)
