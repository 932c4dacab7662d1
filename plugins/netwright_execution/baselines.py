"""The execution baselines: functions that turn a case's module into what is called in its place."""

import os
import shutil
from collections.abc import Callable

import torch
from torch import nn

from netwright.errors import NetwrightError


def eager(module: nn.Module) -> nn.Module:
    """The module itself."""
    return module


def torch_compile(module: nn.Module, *, fullgraph: bool = False, dynamic: bool | None = None) -> Callable[..., object]:
    """The module compiled by torch.compile in its default mode.

    Raises:
        NetwrightError: There is no compiler that it could use.
    """
    return _compiled(module, "default", fullgraph=fullgraph, dynamic=dynamic)


def torch_compile_max_autotune(
    module: nn.Module, *, fullgraph: bool = False, dynamic: bool | None = None
) -> Callable[..., object]:
    """The module compiled by torch.compile, with the fastest of several kernels for each product.

    Raises:
        NetwrightError: There is no compiler that it could use.
    """
    return _compiled(module, "max-autotune", fullgraph=fullgraph, dynamic=dynamic)


def _compiled(module: nn.Module, mode: str, *, fullgraph: bool, dynamic: bool | None) -> Callable[..., object]:
    _require_compiler()
    if module.training:
        from torch._inductor import config

        config.fallback_random = True  # eager's own random numbers, so that dropout can be compared
    return torch.compile(module, mode=mode, fullgraph=fullgraph, dynamic=dynamic)


def _require_compiler() -> None:
    """Torch's compiler needs one of C++ on the CPU, and one of C for Triton's launchers on a GPU: the same packages."""
    wanted = os.environ.get("CXX") or "g++"
    if shutil.which(wanted) is None and shutil.which("clang++") is None:
        raise NetwrightError(
            "torch.compile needs a C++ compiler",
            why=f"there is no '{wanted}'",
            remedy="install g++, or name one in CXX",
        )
