"""Tests of torch's settings by name."""

import torch

from netwright.harness.settings import current_settings


def test_a_changed_precision_shows() -> None:
    before = current_settings()
    try:
        torch.set_float32_matmul_precision("medium")
        changed = {name for name, value in current_settings().items() if value != before[name]}
    finally:
        torch.set_float32_matmul_precision("highest")
    assert "float32_matmul_precision" in changed
    assert current_settings() == before


def test_threads_and_types_show() -> None:
    settings = current_settings()
    assert settings["threads"] == str(torch.get_num_threads())
    assert settings["default_dtype"] == "float32"
