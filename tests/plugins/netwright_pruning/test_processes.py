"""A whole pruning on two processes, started as torchrun does."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
from netwright_pruning import MultiAgentPruner

if __name__ == "__main__":
    distributed = {"enabled": True, "backend": "gloo", "world_size": 2}
    timing = {"min_rounds": 2, "max_rounds": 2, "max_seconds": 0.1, "warm_up_seconds": 0.1}
    config = {
        "hardware": {"device": "cpu", "distributed": distributed},
        "datasets": {"digits": {"limit": 150}},
        "pruner": {"timing": timing},
    }
    result = MultiAgentPruner(config).prune_model(
        "digits_cnn", "digits", 0.5, method="taylor", train={"epochs": 2}, output_dir="results"
    )
    print(result["final_accuracy"], result["final_params"])
"""


@pytest.mark.acceptance
def test_two_processes_come_to_the_same_model_and_one_writes_it(project: Path) -> None:
    (project / "prune.py").write_text(SCRIPT)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = str(server.getsockname()[1])
    shared = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [sys.executable, "prune.py"],
            cwd=project,
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=500) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    lines = [text.splitlines()[-1] for text, _ in outputs]
    assert lines[0] == lines[1]
    assert len(outputs[1][0].splitlines()) == 1  # the second process says nothing of its own
    assert (project / "results" / "report.html").is_file()
