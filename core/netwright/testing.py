"""The public test kit for plugin authors: put `pytest_plugins = ["netwright.testing"]` into your conftest.py."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from netwright.config import Config
from netwright.context import RunContext, use_run
from netwright.llm.backends.scripted import Line, ScriptedBackend
from netwright.loading import load_attribute
from netwright.registry import Registry, registry, use_plugin
from netwright.runfolder import RunFolder

FAKE_MODEL = '''\
"""A model small enough for any test."""

import torch
from torch import nn


class Fake(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.hidden = nn.Linear(4, width)
        self.head = nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.hidden(x)))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(5, 4)]
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the current one, with a cache of its own; processes started from it inherit both."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NETWRIGHT_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def fake_case(project: Path) -> str:
    """The name of a case that builds, runs and trains in milliseconds."""
    (project / "fake_model.py").write_text(FAKE_MODEL)
    return "script:fake_model.py:Fake"


@pytest.fixture
def run_context(project: Path) -> Iterator[RunContext]:
    """A run in force, with a folder of its own."""
    with use_run(RunContext(folder=RunFolder(project / "run"))) as context:
        context.console.quiet = True
        yield context
        context.console.quiet = False


@pytest.fixture
def register_plugin(tmp_path: Path) -> Iterator[Callable[..., Registry]]:
    """A function that registers a plugin for the rest of the test, from a module or from its source text.

    `register_plugin(source_or_module, name="inline")` returns the registry that now holds it. The module is importable
    as `name`, so targets are written "inline:attribute".
    """
    with ExitStack() as stack:

        def register(plugin: ModuleType | str, name: str = "inline") -> Registry:
            module = _module_from(plugin, name, tmp_path) if isinstance(plugin, str) else plugin
            sys.modules[name] = module
            stack.callback(sys.modules.pop, name, None)
            return stack.enter_context(use_plugin(module, name))

        yield register


@pytest.fixture
def scripted_model(run_context: RunContext) -> Callable[..., ScriptedBackend]:
    """A function that gives the run in force a language model which says what the test wrote down.

    `scripted_model("text", {"choice": "a"}, ToolCall(...), RefusedError("no"))` has one line per request, and returns
    the backend, whose `requests` are what the model was asked. A job of its own takes the same:
    `run_job(settings, folder, context=RunContext(backend=ScriptedBackend([...])))`.
    """

    def script(*lines: Line) -> ScriptedBackend:
        run_context.backend = ScriptedBackend(lines)
        return run_context.backend

    return script


@pytest.fixture
def run_cli(project: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs `netwright ARGUMENTS...` in a process of its own, in `project`, 80 columns wide."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "netwright.cli.main", *arguments],
            cwd=project,
            env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def check_agent_config(name: str) -> None:
    """Hold an agent's conf/agent/NAME.yaml against its pydantic class: the same keys, the same defaults.

    Raises:
        AssertionError: They differ; the message shows both.
    """
    component = registry().component("agent", name)
    spec = registry().agent(name)
    assert component.plugin.conf is not None, f"plugin {component.plugin.origin} has no conf folder"
    values = yaml.safe_load((component.plugin.conf / "agent" / f"{name}.yaml").read_text())
    assert values.pop("name") == name
    config_class = load_attribute(spec.config)
    assert isinstance(config_class, type)
    assert issubclass(config_class, Config)
    defaults = config_class().model_dump(mode="json")
    assert values == defaults, f"conf/agent/{name}.yaml says {values}, {spec.config} says {defaults}"


def _module_from(source: str, name: str, folder: Path) -> ModuleType:
    path = folder / f"{name}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # generic pydantic models look for their module while they are made
    spec.loader.exec_module(module)
    return module
