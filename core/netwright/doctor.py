"""The doctor: what this machine can do, what is missing, and how to get it."""

import os
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from rich.table import Table
from rich.text import Text

from netwright import __version__
from netwright.files import cache_folder
from netwright.formatting import format_bytes
from netwright.llm.envfile import read_env_file
from netwright.llm.keys import key_variables
from netwright.machine import find_gpus, processor_name, usable_cores, usable_memory
from netwright.plugins import Plugin
from netwright.probes import compile_extension, cpp_compiler, free_space, write_into
from netwright.render import new_table
from netwright.requirements import Package, extras, installed_version, required_packages
from netwright.result import Record
from netwright.sandbox import probe_levels

Verdict = Literal["ok", "warn", "missing"]
STYLES: dict[Verdict, str] = {"ok": "green", "warn": "yellow", "missing": "red"}
SUPPORTED_PYTHON = ((3, 11), (3, 13))
LITTLE_MEMORY = 4 * 2**30
LITTLE_SPACE = 5 * 2**30


class Finding(Record):
    """One thing that was looked at."""

    name: str
    status: Verdict
    detail: str
    remedy: str = ""
    """What to do about it; empty when nothing needs doing, or nothing can be done."""


def diagnose(*, plugins: Iterable[Plugin] = ()) -> list[Finding]:
    """Look at everything that netwright's work depends on; imports torch, compiles and confines a trivial program.

    Args:
        plugins: The plugins that were found, broken ones too.
    """
    return [
        _python(),
        _required(),
        *_torch(),
        _triton(),
        _compiler(),
        _processor(),
        _disk("disk here", Path.cwd()),
        _disk("disk of the cache", cache_folder("")),
        _cache(),
        *(_extra(name, packages) for name, packages in extras().items() if name not in ("all", "dev")),
        _language_model(),
        _sandbox(),
        *_plugins(list(plugins)),
    ]


def findings_table(findings: Iterable[Finding]) -> Table:
    """The findings as a rich table, remedies below what they remedy."""
    table = new_table("doctor")
    table.add_column("what", style="cyan", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("detail", overflow="fold")
    for finding in findings:
        detail = Text(finding.detail)
        if finding.remedy:
            detail.append(f"\n{finding.remedy}", style="dim")
        table.add_row(finding.name, Text(finding.status, style=STYLES[finding.status]), detail)
    return table


def _python() -> Finding:
    oldest, newest = SUPPORTED_PYTHON
    supported = oldest <= sys.version_info[:2] <= newest
    return Finding(
        name="netwright",
        status="ok" if supported else "warn",
        detail=f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        remedy="" if supported else f"Python {_dotted(oldest)} to {_dotted(newest)} are tested",
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _required() -> Finding:
    packages = required_packages()
    return _installed("packages", packages, "netwright", f"all {len(packages)} required ones are there")


def _extra(name: str, packages: list[Package]) -> Finding:
    versions = ", ".join(f"{package.name} {package.installed}" for package in packages)
    return _installed(f"extra {name}", packages, f"netwright[{name}]", versions)


def _installed(name: str, packages: list[Package], source: str, versions: str) -> Finding:
    missing = [package.name for package in packages if package.installed is None]
    if missing:
        detail = f"not installed: {', '.join(missing)}"
        return Finding(name=name, status="missing", detail=detail, remedy=f"pip install '{source}'")
    wrong = [f"{package.name} {package.installed} is not {package.wanted}" for package in packages if not package.fits]
    if wrong:
        return Finding(name=name, status="warn", detail="; ".join(wrong), remedy=f"pip install --upgrade '{source}'")
    return Finding(name=name, status="ok", detail=versions)


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:  # a broken installation raises anything on import
        detail = " ".join(f"does not import: {error}".split())
        yield Finding(name="torch", status="missing", detail=detail, remedy="pip install --force-reinstall torch")
        return
    count = torch.get_num_threads()
    threads = f"{count} thread{'' if count == 1 else 's'}"
    yield Finding(
        name="torch", status="ok", detail=f"{torch.__version__}, CUDA {torch.version.cuda or 'none'}, {threads}"
    )
    usable = find_gpus(ask_torch=True)
    seen = find_gpus()
    if usable:
        sizes = [f"{gpu.name}, {format_bytes(gpu.memory_bytes or 0)}" for gpu in usable]
        yield Finding(name="GPU", status="ok", detail="; ".join(sizes))
    elif seen:
        names = ", ".join(gpu.name for gpu in seen)
        remedy = "install a torch that was built for this driver's CUDA; see CUDA_VISIBLE_DEVICES"
        yield Finding(name="GPU", status="warn", detail=f"{names}: torch cannot use it", remedy=remedy)
    else:
        yield Finding(name="GPU", status="missing", detail="no CUDA device: what needs one says 'not measured'")


def _triton() -> Finding:
    version = installed_version("triton")
    if version is None:
        remedy = "pip install 'netwright[fusion]'"
        return Finding(name="Triton", status="missing", detail="kernels can be neither compiled nor run", remedy=remedy)
    if find_gpus():
        return Finding(name="Triton", status="ok", detail=version)
    return Finding(name="Triton", status="warn", detail=f"{version}, without a GPU: its interpreter, never its speed")


def _compiler() -> Finding:
    name, command = "C++ compiler", " ".join(cpp_compiler())
    problem = compile_extension()
    if problem is None:
        return Finding(name=name, status="ok", detail=f"{command} compiles for torch.compile on the CPU")
    remedy = "apt install g++ python3-dev, or the like; or set CXX"
    return Finding(name=name, status="missing", detail=f"torch.compile cannot use the CPU: {problem}", remedy=remedy)


def _processor() -> Finding:
    memory = usable_memory()
    little = memory < LITTLE_MEMORY
    return Finding(
        name="processor",
        status="warn" if little else "ok",
        detail=f"{processor_name()}, {usable_cores()} cores usable, {format_bytes(memory)} of memory",
        remedy="large models will not fit" if little else "",
    )


def _disk(name: str, folder: Path) -> Finding:
    free = free_space(folder)
    little = free < LITTLE_SPACE
    remedy = "free some: checkpoints and traces are large" if little else ""
    return Finding(name=name, status="warn" if little else "ok", detail=f"{format_bytes(free)} free", remedy=remedy)


def _cache() -> Finding:
    folder = cache_folder("")
    problem = write_into(folder)
    if problem is None:
        return Finding(name="cache", status="ok", detail=f"{folder} is writable")
    detail = f"{folder} is not writable: {problem}"
    return Finding(name="cache", status="missing", detail=detail, remedy="set NETWRIGHT_CACHE to a folder that is")


def _language_model() -> Finding:
    """What the root configuration chooses, and the names of the keys that would be found; never their values."""
    from netwright.compose import compose

    chosen = compose([])["llm"]
    backend = chosen["model"] or chosen["command"] or chosen["backend"]
    detail = "none: the deterministic rules decide" if chosen["backend"] == "none" else f"{backend} takes part"
    file = Path.cwd() / ".env"
    keys = [f"{name} (environment)" for name in key_variables(os.environ)]
    keys += [f"{name} (.env)" for name in key_variables(read_env_file(file)) if name not in os.environ]
    return Finding(name="language model", status="ok", detail=f"{detail}; keys: {', '.join(keys) or 'none found'}")


def _sandbox() -> Finding:
    levels = probe_levels()
    best = next((level for level in levels if level.works), None)
    lacking = [
        f"{level.level} does not work: {level.detail}" for level in levels[: levels.index(best) if best else None]
    ]
    force = [f"{best.level}: {best.detail}"] if best else []
    return Finding(
        name="sandbox",
        status="ok" if not lacking else "warn" if best else "missing",
        detail="; ".join([*force, *lacking]),
        remedy=levels[0].remedy if lacking else "",
    )


def _plugins(plugins: list[Plugin]) -> Iterator[Finding]:
    broken = [plugin for plugin in plugins if plugin.errors]
    disabled = [plugin.name for plugin in plugins if plugin.disabled]
    loaded = [plugin.name for plugin in plugins if not plugin.errors and not plugin.disabled]
    detail = f"{', '.join(loaded) or 'none'}{'; disabled: ' + ', '.join(disabled) if disabled else ''}"
    yield Finding(name="plugins", status="ok" if loaded else "warn", detail=detail)
    for plugin in broken:
        remedy = f"update or uninstall {plugin.distribution or plugin.name}, or run with --disable {plugin.name}"
        yield Finding(name=f"plugin {plugin.name}", status="warn", detail="; ".join(plugin.errors), remedy=remedy)
