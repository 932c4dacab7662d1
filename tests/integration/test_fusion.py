"""Fusion from the command line: a sweep over problems, collected into fast_p."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PROBLEM = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 512)

    def forward(self, x):
        return {forward}


def get_inputs():
    return [torch.randn(64, 16)]


def get_init_inputs():
    return []
"""
QUICK = (
    "agent.kernels=false",
    "agent.executions=[eager]",
    "agent.archive=false",
    "agent.timing.max_rounds=3",
    "agent.timing.min_rounds=3",
    "agent.verification.weight_seeds=1",
    "agent.verification.distributions=[]",
    "baseline=[eager]",
)


@pytest.mark.acceptance
def test_a_sweep_over_problems_is_collected_into_fast_p(
    project: Path, run_cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (project / "won.py").write_text(PROBLEM.format(forward="self.fc(x).sum(dim=1, keepdim=True)"))
    (project / "even.py").write_text(PROBLEM.format(forward="torch.exp(x)"))
    (project / "bad.py").write_text(PROBLEM.format(forward="self.missing(x)"))
    cases = ",".join(f"kernelbench:{name}.py" for name in ("won", "even", "bad"))
    swept = run_cli("run", "-m", "agent=fusion", f"case={cases}", "sweep.name=s", *QUICK)
    assert "missing" in swept.stdout + swept.stderr
    done = run_cli("collect", "multirun/s")
    assert done.returncode == 0, done.stderr
    assert "fast_p of fusion" in done.stdout
    (found,) = json.loads((project / "multirun" / "s" / "collected.json").read_text())["fast_p"]
    assert (found["problems"], found["correct"]) == (3, 2)
    assert found["vs_fastest"]["0"] == pytest.approx(2 / 3)
    assert found["vs_fastest"]["1"] == pytest.approx(1 / 3)
    assert any("missing" in reason for reason in found["failures"])
