"""Hardware settings in force."""

import pytest
import torch

from netwright.errors import UserError
from netwright_pruning.experiment import load_config
from netwright_pruning.hardware import hardware_in_force
from netwright_training.distributed import ALONE


def test_a_memory_limit_off_cuda_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    hardware = load_config({"hardware": {"device": "cpu", "gpu": {"memory_limit": "40GB"}}}).hardware
    with hardware_in_force(hardware) as team:
        assert team == ALONE
    assert "memory_limit limits CUDA devices only" in " ".join(capsys.readouterr().out.split())


def test_a_process_by_itself_is_no_team(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    hardware = load_config({"hardware": {"device": "cpu", "distributed": {"enabled": True, "world_size": 4}}}).hardware
    with pytest.raises(UserError, match="torchrun --nproc-per-node=4"), hardware_in_force(hardware):
        pass


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_memory_limit_holds() -> None:
    hardware = load_config({"hardware": {"device": "cuda", "gpu": {"memory_limit": "200MB"}}}).hardware
    with hardware_in_force(hardware), pytest.raises(torch.OutOfMemoryError):
        torch.zeros(300_000_000, dtype=torch.uint8, device="cuda")
