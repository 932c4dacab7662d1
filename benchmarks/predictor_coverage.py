"""For which types of the installed transformers the predictor equals torch's count, out of runs of `case=hf:all`.

    python benchmarks/predictor_coverage.py [RUN_FOLDER ...]

Of a type in several folders, the last counts. Without a folder, it makes the run: over an hour.
Writes benchmarks/results/<date>-predictor-coverage.json.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _results import describe_machine, write_results

TYPES = "artifacts/coverage/types.jsonl"


def run() -> Path:
    """The folder of a run over every type."""
    folder = Path(tempfile.mkdtemp()) / "run"
    job = ["netwright", "run", "agent=predictor", "case=hf:all", f"hydra.run.dir={folder}"]
    subprocess.run(job, check=True)
    return folder


def read(folder: Path) -> list[dict[str, Any]]:
    """What the run found out about each type."""
    return [json.loads(line) for line in (folder / TYPES).read_text().splitlines()]


def why(found: dict[str, Any]) -> str:
    """A type's verdict with its reason or, where it is off, with the difference in FLOPs."""
    return f"{found['verdict']}: {found['reason'] or found['difference']}"


if __name__ == "__main__":
    folders = [Path(name) for name in sys.argv[1:]] or [run()]
    types = list({found["type"]: found for folder in folders for found in read(folder)}.values())
    families = sorted({found["family"] for found in types})
    verdicts = {
        family: dict(Counter(found["verdict"] for found in types if found["family"] == family)) for family in families
    }
    values = {
        "machine": describe_machine(),
        "transformers": version("transformers"),
        "verdicts": verdicts,
        "exact": {
            family: _names
            for family in families
            if (
                _names := sorted(
                    found["type"] for found in types if found["family"] == family and found["verdict"] == "exact"
                )
            )
        },
        "others": {found["type"]: why(found) for found in types if found["verdict"] != "exact"},
        "parameters_off": {
            found["type"]: found["parameters_difference"] for found in types if found["parameters_difference"]
        },
        "derived_share": {
            found["type"]: round(found["derived_share"], 4) for found in types if found.get("derived_share")
        },
    }
    print(json.dumps(verdicts, indent=2))
    write_results("predictor-coverage", values)
