"""The variant: importable code that claims to compute what a case computes, named so that a child can load it."""

from typing import Any

from netwright.config import Config


class Claims(Config):
    """What a variant says of itself; a claim that the profile does not bear out is rejected."""

    kernels: tuple[str, ...] = ()
    """Names of kernels or operators that must show up in its profile; without namespaces and template arguments, if you
    like."""
    deterministic: bool = True
    """Whether two calls on the same inputs give the same bits, if the case's own do."""
    precision: str | None = None
    """The lowest floating-point type that it computes in (float64, float32, bfloat16, float16); null means the case's
    own."""


class Variant(Config):
    """A variant by reference.

    The target is either a function `(module, **options) -> callable`, given the case's module with its weights loaded,
    on its device and in its mode; or an `nn.Module` subclass, which is built with the case's constructor arguments and
    loaded with the module's state dict.
    """

    label: str
    target: str = ""
    """"package.module:attribute" or "path/to/file.py:attribute"; empty for the unmodified module itself (eager)."""
    options: dict[str, Any] = {}
    """Keyword arguments of the function; JSON values only."""
    claims: Claims = Claims()
    confined: bool = True
    """Whether its process runs in a cage if it is a file. False is for files that netwright makes of a case, which
    runs outside, too."""
    environment: dict[str, str] = {}
    """Variables that its process starts with, beside the usual ones."""


EAGER = Variant(label="eager")
