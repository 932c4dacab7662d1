"""Devices are found by name, or refused in one line."""

import pytest
import torch

from netwright.devices import resolve_device
from netwright.errors import UserError


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", "", "meta"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(UserError, match=f"no device named '{name}'; known: cpu, cuda, cuda:N, auto"):
        resolve_device(name)


def test_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(UserError, match=r"no CUDA device for 'cuda'; .* key=cpu, or auto"):
        resolve_device("cuda", setting="key")


def test_with_two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [resolve_device(name) for name in ("auto", "cuda", "cuda:1")] == ["cuda", "cuda", "cuda:1"]
    with pytest.raises(UserError, match="no CUDA device for 'cuda:2'; this machine has 2, numbered from 0"):
        resolve_device("cuda:2")
