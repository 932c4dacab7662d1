"""Loading generated kernels from their text, in a way that lets Triton read them back."""

import hashlib
import linecache
from collections.abc import Callable
from typing import Any

from netwright.errors import MissingDependencyError

HEADER = "import torch\nimport triton\nimport triton.language as tl\n"
"""What stands above every kernel."""


def load(source: str, name: str) -> Callable[..., Any]:
    """The function `name` of a source text.

    Triton asks for the source of what it compiles: the text is put where `inspect` looks for it.

    Raises:
        MissingDependencyError: Triton is not installed.
    """
    text = f"{HEADER}\n\n{source}"
    file = f"<netwright kernel {name} {hashlib.sha256(text.encode()).hexdigest()[:12]}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": f"netwright_kernel_{name}"}
    try:
        exec(compile(text, file, "exec"), namespace)
    except ImportError as error:
        raise MissingDependencyError(
            "no Triton kernel can be made", why=str(error), remedy="pip install triton (Linux only)"
        ) from error
    function: Callable[..., Any] = namespace[name]
    return function
