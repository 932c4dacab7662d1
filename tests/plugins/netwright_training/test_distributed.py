"""Training on several processes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from netwright.errors import UserError
from netwright_training.distributed import Team, current_team
from netwright_training.distributed import process_group as group

SCRIPT = """
import sys
import torch
from torch import nn
from netwright_training import load_dataset, train
from netwright_training.distributed import ALONE, current_team, process_group

splits = load_dataset({"name": "dummy", "samples": 60, "input_shape": [6], "num_classes": 3}, seed=0)
torch.manual_seed(int(sys.argv[2]))
model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
for part in ("train", "validation", "test"):
    data = getattr(splits, part)
    data.tensors = (data.tensors[0].double(), data.tensors[1]) if hasattr(data, "tensors") else data
recipe = {"epochs": 3, "batch_size": 7, "device": "cpu"}
if len(sys.argv) > 3:
    with process_group("gloo", world_size=2, timeout_s=60):
        assert current_team().size == 2
        train(model, splits, recipe, seed=1)
    assert current_team() == ALONE
else:
    train(model, splits, recipe, seed=1)
torch.save(model.state_dict(), sys.argv[1])
"""


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.mark.slow
def test_two_processes_train_as_one_that_has_the_whole_batches(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    shared = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    starts = {"first": ("0", {"RANK": "0"}), "second": ("5", {"RANK": "1"}), "alone": ("0", None)}
    processes = []
    for name, (seed, rank) in starts.items():
        command = [sys.executable, str(script), str(tmp_path / f"{name}.pt"), seed, *(["group"] if rank else [])]
        processes.append(subprocess.Popen(command, env={**shared, **rank} if rank else None, stderr=subprocess.PIPE))
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
    first, second, alone = (torch.load(tmp_path / f"{name}.pt") for name in starts)
    for name in alone:
        assert torch.equal(first[name], second[name])  # though the second one began with other weights
        torch.testing.assert_close(first[name], alone[name], rtol=1e-9, atol=1e-9)


def test_parts_cover_a_batch_once() -> None:
    for size, count in ((2, 7), (3, 6), (4, 33)):
        found = [index for rank in range(size) for index in range(count)[Team(rank, size).part(count)]]
        assert found == list(range(count))
    assert range(3)[Team(1, 2).part(3)] == range(3)  # too few to share: all compute the same


def test_a_process_by_itself_is_told_how_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="torchrun --nproc-per-node=4"), group("gloo", world_size=4):
        pass
    assert current_team() == Team(0, 1)


def test_another_number_of_processes_and_nccl_without_cuda_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", "LOCAL_RANK": "0"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(UserError, match=r"2 processes were started; .*world_size is 4"),
        group("gloo", world_size=4),
    ):
        pass
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with (
        pytest.raises(UserError, match=r"'nccl' needs a CUDA device per process; this machine has 0"),
        group("nccl"),
    ):
        pass
