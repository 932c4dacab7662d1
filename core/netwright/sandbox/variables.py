"""The environment of a caged program: a few variables that are known to be harmless, and never a key."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from netwright.errors import UserError

ALLOWED = re.compile(
    r"PATH|LD_LIBRARY_PATH|LANG|LANGUAGE|LC_\w+|TZ|TERM|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|CC|CXX|VIRTUAL_ENV"
    r"|PYTHONHASHSEED|PYTHONUTF8|PYTHONIOENCODING|CUDA_\w+|CUBLAS_\w+|CUDNN_\w+|NVIDIA_\w+|NCCL_\w+|HIP_\w+|ROCM_\w+"
    r"|OMP_\w+|KMP_\w+|GOMP_\w+|MKL_\w+|OPENBLAS_\w+|TORCH_\w+|PYTORCH_\w+|TORCHINDUCTOR_\w+|TORCHDYNAMO_\w+|TRITON_\w+"
)
SECRET = re.compile(r"KEY|TOKEN(?!IZER)|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|COOKIE|AUTH", re.IGNORECASE)
PLACES = re.compile(r"\w+_(DIR|HOME|FOLDER)")
"""Variables that name a folder of the user's, which the program cannot write; the compilers' caches, above all."""
KEPT_PLACES = {"CUDA_HOME", "ROCM_HOME"}
USER = "netwright"


def scrubbed_environment(temporary: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that a program gets.

    Args:
        temporary: The program's private folder, which holds its home.
        extra: Variables to add.

    Raises:
        UserError: An added variable is named like a secret.
    """
    for name in extra or {}:
        if SECRET.search(name):
            raise UserError(f"the variable {name} cannot enter the sandbox", why="it is named like a secret")
    kept = {name: value for name, value in os.environ.items() if _may_pass(name)}
    own = {
        "HOME": str(temporary / "home"),
        "TMPDIR": str(temporary / "tmp"),
        "USER": USER,
        "LOGNAME": USER,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {"PATH": os.defpath, "LANG": "C.UTF-8"} | kept | own | dict(extra or {})


def _may_pass(name: str) -> bool:
    if PLACES.fullmatch(name) and name not in KEPT_PLACES:
        return False
    return bool(ALLOWED.fullmatch(name)) and not SECRET.search(name)
