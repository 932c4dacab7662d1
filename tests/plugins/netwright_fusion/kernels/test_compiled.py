"""Every kernel compiles for GPUs of two generations, which needs none of them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("triton")


@dataclass(frozen=True)
class Compiled:
    """What a child compiled, case by case."""

    results: list[dict[str, Any]]
    count: int


def compile_cases(folder: Path, capabilities: list[int], *cases: str) -> Compiled:
    """Compile the kernels of some cases, or of all, in a child process."""
    script = Path(__file__).with_name("compiled.py")
    environment = os.environ | {"TRITON_CACHE_DIR": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("TRITON_INTERPRET", None)
    command = [sys.executable, str(script), str(folder), ",".join(map(str, capabilities)), *cases]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1700)
    assert child.returncode == 0, child.stderr[-1000:]
    results = [json.loads(line) for line in (folder / "compiled.jsonl").read_text().splitlines()]
    return Compiled(results, results[-1]["compiled"])


@pytest.mark.slow
def test_some_kernels_compile_for_a_gpu_that_is_not_here(tmp_path):
    found = compile_cases(tmp_path, [90], "pointwise gated", "rows scans", "losses")
    assert [each["failures"] for each in found.results] == [[]] * 4
    assert found.count == 13


@pytest.mark.acceptance
@pytest.mark.timeout(1800)
def test_all_kernels_compile_for_two_generations_of_gpus(tmp_path):
    found = compile_cases(tmp_path, [80, 90])
    assert [each for each in found.results if each["failures"]] == []
    assert found.count >= 2 * 190
