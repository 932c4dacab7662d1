"""netwright: agents that measure, shrink and speed up PyTorch models, and prove it."""

import pluggy

__version__ = "0.1.0"

hookimpl = pluggy.HookimplMarker("netwright")
"""Marks a plugin's function as the implementation of the hook of the same name."""

__all__ = ["__version__", "hookimpl"]
