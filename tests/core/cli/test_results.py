"""`netwright collect|report|archive` end to end on one small run."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netwright.cli.main import main
from netwright.context import RunContext
from netwright.registry import Registry
from netwright.run import run_job
from netwright.runfolder import RunFolder

PLUGIN = """
from pydantic import BaseModel
from netwright import hookimpl
from netwright.agent import BaseAgent
from netwright.config import Config
from netwright.result import AgentResult, Measurement
from netwright.specs import AgentSpec

class Nothing(BaseModel):
    pass

class RaceAgent(BaseAgent):
    def get_agent_role(self):
        return "You race."

    def execute(self, job):
        rows = [Measurement(label="hare", metric="speedup", value=1.5 + job.seed)]
        return AgentResult(metrics=Nothing(), measurements=rows)

@hookimpl
def netwright_agents():
    return [AgentSpec(name="race", summary="Races", target="inline:RaceAgent",
                      config="netwright.config:Config", needs_case=False)]
"""


@pytest.fixture
def runs(register_plugin: Callable[..., Registry], project: Path) -> Path:
    """A folder with two runs that differ in their seed."""
    register_plugin(PLUGIN)
    for seed in (0, 1):
        context = RunContext()
        context.console.quiet = True
        run_job({"agent": {"name": "race"}, "seed": seed}, RunFolder(project / "runs" / str(seed)), context=context)
        context.console.quiet = False
    return project / "runs"


def test_collect_prints_and_writes_the_table(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", str(runs)]) == 0
    shown = capsys.readouterr().out
    assert "hare" in shown
    assert "2.0" in shown
    assert {path.suffix for path in runs.glob("collected.*")} == {".csv", ".json", ".html"}


def test_report_is_written_again(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = runs / "0" / "report.html"
    before = report.read_bytes()
    report.unlink()
    assert main(["report", str(report.parent)]) == 0
    assert report.read_bytes() == before


def test_archive_is_made_and_verified(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["archive", "create", str(runs / "1"), "--name", "hare"]) == 0
    (bundle,) = Path("archive").iterdir()
    assert bundle.name.endswith("-hare-2.50x")
    assert main(["archive", "verify", str(bundle)]) == 0
    result = bundle / "result.json"
    result.write_text(result.read_text().replace("2.5", "9.5"))
    assert main(["archive", "verify", str(bundle)]) == 1
    assert "result.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["collect", "."], ["report", "."], ["archive", "create", "."], ["archive", "verify", "."]]
)
def test_folder_without_a_run(command: list[str], project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_killed_run_leaves_no_half_written_file(project: Path) -> None:
    """Kill a process that rewrites result.json for ever: whatever is there afterwards is whole."""
    script = (
        "from pathlib import Path\nfrom netwright.files import write_json\n"
        "import itertools\nprint('go', flush=True)\n"
        "for n in itertools.count():\n    write_json(Path('result.json'), {'n': n, 'rows': list(range(5000))})\n"
    )
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", script], cwd=project, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            while not (project / "result.json").exists():
                pass
            process.kill()
        assert len(json.loads((project / "result.json").read_text())["rows"]) == 5000
