"""For which types of the installed transformers the predictor equals torch's count, out of runs of `case=hf:all`.

    python benchmarks/predictor_coverage.py [RUN_FOLDER ...]

Of a type in several folders, the last counts; runs with `agent.image=true` are told of apart. Without a folder, it
makes the run: over an hour.
Writes benchmarks/results/<date>-predictor-coverage.json.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

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


def has_images(folder: Path) -> bool:
    """Whether a run put an image before each text."""
    return bool(yaml.safe_load((folder / ".hydra" / "config.yaml").read_text())["agent"].get("image"))


def why(found: dict[str, Any]) -> str:
    """A type's verdict with its reason, without the places of files, or, where it is off, the difference in FLOPs."""
    reason = found["reason"] or found["difference"]
    return f"{found['verdict']}: {re.sub(r'/[^ ]*site-packages/', '', str(reason))}"


def summary(folders: list[Path]) -> dict[str, Any]:
    """How many types of each family came out how, which of them were exact, and why the others were not."""
    types = list({found["type"]: found for folder in folders for found in read(folder)}.values())
    families = sorted({found["family"] for found in types})
    verdicts = {
        family: dict(Counter(found["verdict"] for found in types if found["family"] == family)) for family in families
    }
    return {
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
        "uncounted_ops": {found["type"]: found["uncounted_ops"] for found in types if found.get("uncounted_ops")},
        "image_tokens": {found["type"]: found["image_tokens"] for found in types if found.get("image_tokens")},
    }


if __name__ == "__main__":
    folders = [Path(name) for name in sys.argv[1:]] or [run()]
    with_image = [folder for folder in folders if has_images(folder)]
    values = {
        "machine": describe_machine(),
        "transformers": version("transformers"),
        **summary([folder for folder in folders if folder not in with_image]),
        **({"with_an_image": summary(with_image)} if with_image else {}),
    }
    print(json.dumps(values["verdicts"], indent=2))
    write_results("predictor-coverage", values)
