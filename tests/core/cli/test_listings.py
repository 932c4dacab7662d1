"""Listings: complete, readable in 80 columns, and as JSON."""

import json
from collections.abc import Callable

import pytest

from netwright.cli.main import main
from netwright.registry import Registry, registry

BROKEN = """
from netwright import hookimpl

@hookimpl
def netwright_tools():
    raise RuntimeError("no luck")
"""


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netwright.console.console._width", 80)


@pytest.mark.parametrize("kind", ["agents", "tools", "baselines", "metrics", "cases"])
def test_every_component_is_listed(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([kind]) == 0
    shown = capsys.readouterr().out
    names = registry().names({"cases": "case source"}.get(kind, kind.removesuffix("s")))
    assert names
    assert all(name in shown for name in names)
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_kinds_that_plugins_bring_are_listed_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components", "dataset"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in registry().names("dataset"))
    assert "latency_ms" not in shown
    assert main(["components"]) == 0
    assert "latency_ms" in capsys.readouterr().out
    assert main(["components", "datset"]) == 2
    assert "did you mean 'dataset'?" in capsys.readouterr().err


def test_json_listing(capsys: pytest.CaptureFixture[str]) -> None:
    main(["metrics", "--json"])
    (latency,) = (metric for metric in json.loads(capsys.readouterr().out) if metric["name"] == "latency_ms")
    assert latency["unit"] == "ms"
    assert latency["direction"] == "lower"
    assert latency["plugin"] == "execution"


def test_broken_plugin_is_listed_with_its_error(
    register_plugin: Callable[..., Registry], capsys: pytest.CaptureFixture[str]
) -> None:
    register_plugin(BROKEN)
    assert main(["plugins"]) == 0
    assert "inline: netwright_tools raises RuntimeError: no luck" in capsys.readouterr().out


def test_one_plugin_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "training"]) == 0
    shown = capsys.readouterr().out
    assert "digits" in shown
    assert "latency_ms" not in shown


def test_unknown_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "trainin"]) == 2
    assert "did you mean 'training'?" in capsys.readouterr().err
