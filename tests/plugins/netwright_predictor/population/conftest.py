"""The scripted local server that core's own tests of language models use."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("scripted_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for their module
    spec.loader.exec_module(module)
    return module


_scripted = _load(Path(__file__).parents[3] / "core" / "llm" / "conftest.py")
server = _scripted.server
no_keys = _scripted.no_keys
