"""Every kernel of `kernel_cases.py`, written and run once under Triton's interpreter, in a child process."""

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
class Interpreted:
    """What the child found, case by case, and the sources that it wrote."""

    results: dict[str, dict[str, Any]]
    sources: tuple[Path, ...]
    errors: str


@pytest.fixture(scope="session")
def interpreted(tmp_path_factory: pytest.TempPathFactory) -> Interpreted:
    """One run for all tests: a load out of bounds would kill the child, not the tests."""
    folder = tmp_path_factory.mktemp("kernels")
    child = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("interpreted.py")), str(folder)],
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        text=True,
        timeout=500,
    )
    lines = (folder / "results.jsonl").read_text().splitlines()
    results = {each["case"]: each for each in map(json.loads, lines)}
    errors = child.stderr[-2000:] if child.returncode else ""
    return Interpreted(results, tuple(sorted(folder.glob("*.py"))), errors)
