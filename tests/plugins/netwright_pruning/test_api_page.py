"""The page about the Python API is true: its examples run, one after the other, and its experiment's file loads."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from netwright_pruning.config import load_config

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs" / "pruning-api.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.usefixtures("project", "no_latency")
def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(block.replace('"limit": 300', '"limit": 100'), "pruning-api.md", "exec"), namespace)
    printed = capsys.readouterr().out
    assert re.search(r"^50\.\d% fewer parameters|^49\.\d% fewer parameters", printed, flags=re.MULTILINE)
    assert "did you mean 'max_iterations'" in " ".join(printed.split())
    assert Path("results/seeds/collected.html").is_file()


def test_the_experiments_file_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = blocks("yaml")
    monkeypatch.setenv("IMAGENET_PATH", "/data/imagenet")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-test")
    values = yaml.safe_load(text)
    assert values.pop("extends") == "base.yaml"
    config = load_config(values)
    assert config.hardware.gpu.memory_limit_bytes == 40 * 10**9
    assert config.agents.fine_tuning_agent.epochs == 30


def test_the_example_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGENET_PATH", raising=False)
    config = load_config(REPOSITORY / "examples" / "pruning" / "enhanced_multi_agent.yaml")
    assert config.datasets["imagenet"].path == Path("data/imagenet")
    assert config.agents.master_agent.max_iterations == 5
