"""The environment of a run as `environment.json` keeps it: versions, hardware, git revision, precision and threads."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path

from netwright import __version__
from netwright.machine import Gpu, find_gpus, processor_name, usable_cores, usable_memory
from netwright.requirements import extras, required_packages
from netwright.result import Record
from netwright.sandbox import probe_levels


class Git(Record):
    """The state of the working directory's repository."""

    revision: str
    dirty: bool
    """Whether tracked files differ from that revision, or untracked ones lie about."""


class Precision(Record):
    """What torch may compute float32 in, per library: "ieee", "tf32", "bf16", or "none" for its default (IEEE)."""

    cuda_matmul: str
    cudnn_convolution: str
    cudnn_rnn: str
    cpu_matmul: str
    cudnn_benchmark: bool
    deterministic_algorithms: bool


class Environment(Record):
    """What a run ran on; it names no host, no user and no path."""

    netwright: str
    python: str
    system: str
    packages: dict[str, str]
    """Version of every installed package that netwright or one of its extras asks for, but for development."""
    plugins: dict[str, str]
    """Version per plugin."""
    processor: str
    cores: int
    """Those that the process may use."""
    memory_bytes: int
    gpus: list[Gpu]
    cuda: str | None
    """The CUDA version that torch was built for; None before torch is imported, or for a build without."""
    torch_threads: int | None
    """Threads of one operator; None before torch is imported."""
    precision: Precision | None
    """None before torch is imported."""
    git: Git | None
    """None outside a repository."""
    sandbox: str
    """How code that netwright did not write is confined: the best level that works here, and what it confines."""


def describe_environment(*, plugins: Mapping[str, str] | None = None, ask_torch: bool = False) -> Environment:
    """Describe where this process runs.

    Args:
        plugins: Version per plugin.
        ask_torch: Import torch and let it say which GPUs there are; otherwise torch is left alone until imported.
    """
    if ask_torch:
        import torch  # noqa: F401 - the functions below look for it among the imported modules
    return Environment(
        netwright=__version__,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        system=platform.platform(),
        packages=_packages(),
        plugins=dict(plugins or {}),
        processor=processor_name(),
        cores=usable_cores(),
        memory_bytes=usable_memory(),
        gpus=find_gpus(ask_torch=ask_torch),
        cuda=_cuda_version(),
        torch_threads=_torch_threads(),
        precision=_precision(),
        git=describe_git(Path.cwd()),
        sandbox=next((f"{level.level}: {level.detail}" for level in probe_levels() if level.works), "none"),
    )


def describe_git(folder: Path) -> Git | None:
    """The state of the repository that holds `folder`; None when there is none, no commit yet, or no git."""
    revision = _git(folder, "rev-parse", "--verify", "HEAD")
    if revision is None:
        return None
    return Git(revision=revision, dirty=bool(_git(folder, "status", "--porcelain")))


def _git(folder: Path, *arguments: str) -> str | None:
    variables = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # looking must not write to the repository
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=folder, env=variables, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _packages() -> dict[str, str]:
    groups = [required_packages(), *(group for extra, group in extras().items() if extra != "dev")]
    wanted = [package for group in groups for package in group]
    return {package.name: package.installed for package in sorted(wanted, key=attrgetter("name")) if package.installed}


def _cuda_version() -> str | None:
    torch = sys.modules.get("torch")
    return torch.version.cuda if torch else None


def _torch_threads() -> int | None:
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else None


def _precision() -> Precision | None:
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    backends = torch.backends  # the older getters raise where a program used the newer switches
    return Precision(
        cuda_matmul=backends.cuda.matmul.fp32_precision,
        cudnn_convolution=backends.cudnn.conv.fp32_precision,
        cudnn_rnn=backends.cudnn.rnn.fp32_precision,
        cpu_matmul=backends.mkldnn.matmul.fp32_precision,
        cudnn_benchmark=backends.cudnn.benchmark,
        deterministic_algorithms=torch.are_deterministic_algorithms_enabled(),
    )
