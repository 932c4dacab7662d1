"""A run with a language model, from the command line to its replay, with the same decisions byte for byte."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netwright.archive import make_bundle
from netwright.cli.main import main
from netwright.registry import Registry
from netwright.runfolder import read_json_lines, read_result

PLUGIN = '''
from pydantic import BaseModel

from netwright import hookimpl
from netwright.agent import BaseAgent
from netwright.config import Config
from netwright.context import current_run
from netwright.decisions import Choice, ChoiceQuestion, Decision, Question
from netwright.llm import Message
from netwright.result import AgentResult, Measurement, TableBlock
from netwright.specs import AgentSpec, ToolSpec

READINGS = iter(range(100))

def reading(sensor: str) -> str:
    """Read a sensor."""
    return f"{sensor}: {next(READINGS)} in {current_run().folder.path}"

class Criterion(ChoiceQuestion):
    """Which criterion ranks the channels.

    Prefer one that needs no data.
    """
    tools = ("reading",)
    layers: int

    def rule(self):
        return Choice(choice=sorted(self.options)[0], reasons=["the first by name"])

class WidthDecision(Decision):
    width: int

class Width(Question[WidthDecision]):
    """How wide a layer shall be."""
    layer: int

    def rule(self):
        return WidthDecision(width=4, reasons=["four is plenty"])

    def check(self, decision):
        if decision.width % 4:
            raise ValueError(f"width must be a multiple of 4, not {decision.width}")

class ChooserConfig(Config):
    layers: int = 2
    ask: bool = True

class Chosen(BaseModel):
    criterion: str
    widths: list[int]

class Chooser(BaseAgent):
    config_class = ChooserConfig

    def get_agent_role(self):
        return "You choose."

    def execute(self, job):
        if not self.config.ask:
            return AgentResult(metrics=Chosen(criterion="", widths=[]))
        run = current_run()
        options = {"taylor": "gradients", "magnitude": "weights alone"}
        choice = run.decide(Criterion(layers=self.config.layers, options=options))
        widths = [run.decide(Width(layer=layer)).width for layer in range(self.config.layers)]
        return AgentResult(metrics=Chosen(criterion=choice.choice, widths=widths))

@hookimpl
def netwright_agents():
    return [
        AgentSpec(
            name="chooser", summary="Chooses", target="inline:Chooser", config="inline:ChooserConfig", needs_case=False
        )
    ]

@hookimpl
def netwright_tools():
    return [ToolSpec(name="reading", summary="Read", target="inline:reading")]
'''

Run = Callable[..., int]


@pytest.fixture(autouse=True)
def plugin(register_plugin: Callable[..., Registry], tmp_path: Path) -> None:
    (tmp_path / "conf" / "agent").mkdir(parents=True)
    (tmp_path / "conf" / "agent" / "chooser.yaml").write_text("name: chooser\nlayers: 2\nask: true\n")
    register_plugin(PLUGIN)


@pytest.fixture
def run(project: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs `netwright run` with the test's agent in the folder of that name."""

    def start(name: str, *overrides: str) -> int:
        return main(["run", "agent=chooser", f"hydra.run.dir={name}", *overrides])

    return start


def decisions(folder: str) -> str:
    """The log of decisions, without the time of day."""
    records = [
        {k: v for k, v in record.items() if k != "time"} for record in read_json_lines(Path(folder) / "decisions.jsonl")
    ]
    return "\n".join(json.dumps(record) for record in records)


def with_model(server: Any) -> list[str]:
    return ["llm=litellm", "llm.model=openai/x", f"llm.api_base={server.address}", "llm.backoff=0.01"]


def test_a_run_and_its_replay_decide_the_same_byte_for_byte(
    server: Any, turn: Any, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    server.says(
        turn(tools=[("reading", '{"sensor": "heat"}')]),
        {"choice": "tailor", "reasons": ["gradients"]},
        {"choice": "taylor", "reasons": ["gradients"]},
        turn(status=503),
        {"width": 8, "reasons": ["deep"]},
        *[{"width": 7, "reasons": ["odd"]}] * 3,
    )
    assert run("live", *with_model(server)) == 0
    live = read_result(Path("live"))
    assert live.metrics == {"criterion": "taylor", "widths": [8, 4]}
    records = list(read_json_lines(Path("live/decisions.jsonl")))
    assert [record["taken_by"] for record in records] == ["model", "model", "rule"]
    assert "multiple of 4" in records[2]["fallback"]
    told = capsys.readouterr().out
    assert "warning: decided by rule instead of openai/x: How wide a layer shall be" in told
    assert "decisions" in told
    (block,) = live.blocks
    assert block.kind == "table"
    assert block.rows[1][:4] == ["How wide a layer shall be", "1", "1", "1"]
    assert "8 requests, 1 of them again · 770 tokens" in block.caption
    assert "Which criterion" in Path("live/report.html").read_text()

    bundle = make_bundle(Path("live"))
    assert (bundle / "llm" / "calls.jsonl").read_bytes() == Path("live/llm/calls.jsonl").read_bytes()

    asked = len(server.requests)
    server.says("not this")
    assert run("again", "llm=replay", "llm.folder=live/llm") == 0
    assert len(server.requests) == asked
    assert decisions("again") == decisions("live")
    assert read_result(Path("again")).metrics == live.metrics
    assert "replayed from live/llm" in read_result(Path("again")).blocks[0].caption
    assert run("third", "llm=replay", f"llm.folder={bundle}") == 0
    assert decisions("third") == decisions("live")


def test_a_replay_needs_no_litellm_no_key_and_no_server(server: Any, run: Run, project: Path, tmp_path: Path) -> None:
    server.says({"choice": "taylor"}, {"width": 8}, {"width": 8})
    assert run("live", *with_model(server)) == 0
    server.over.set()
    script = f"""
        import sys
        sys.modules["litellm"] = None  # importing it fails
        sys.path.insert(0, {str(tmp_path)!r})
        import inline
        from netwright.cli.main import main
        from netwright.registry import use_plugin
        with use_plugin(inline, "inline"):
            code = main(["run", "agent=chooser", "hydra.run.dir=again", "llm=replay", "llm.folder=live"])
        sys.exit(code or "torch" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert decisions("again") == decisions("live")


def test_nothing_is_looked_for_unless_an_agent_asks(run: Run) -> None:
    assert run("idle", "agent.ask=false", "llm=litellm", "llm.model=openai/x") == 0
    assert not Path("idle/llm").exists()
    assert read_result(Path("idle")).blocks == []


def test_without_a_model_the_rules_decide(run: Run) -> None:
    assert run("rules") == 0
    assert [record["taken_by"] for record in read_json_lines(Path("rules/decisions.jsonl"))] == ["rule"] * 3
    assert read_result(Path("rules")).metrics["criterion"] == "magnitude"


def test_a_budget_that_runs_out_in_the_middle_is_replayed_too(server: Any, run: Run) -> None:
    server.says({"choice": "taylor"}, {"width": 8}, {"width": 12})
    assert run("live", *with_model(server), "llm.caps.tokens=200", "agent.layers=3") == 0
    records = list(read_json_lines(Path("live/decisions.jsonl")))
    assert [record["taken_by"] for record in records] == ["model", "model", "rule", "rule"]
    assert "llm.caps.tokens is reached; it is 200 tokens" in records[2]["fallback"]
    assert len(server.requests) == 2
    assert run("again", "llm=replay", "llm.folder=live", "agent.layers=3") == 0
    assert decisions("again") == decisions("live")


def test_a_run_whose_model_never_answered_is_replayed_too(server: Any, turn: Any, run: Run) -> None:
    server.says(*[turn(status=503)] * 6)
    assert run("live", *with_model(server), "llm.retries=1") == 0
    records = list(read_json_lines(Path("live/decisions.jsonl")))
    assert [record["model"] for record in records] == ["openai/x"] * 3
    assert "asked 2 times" in records[0]["fallback"]
    assert "did not answer the first question either" in records[2]["fallback"]
    assert len(server.requests) == 2
    assert run("again", "llm=replay", "llm.folder=live") == 0
    assert decisions("again") == decisions("live")


def test_a_recording_of_another_run_is_refused_where_it_differs(
    server: Any, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    server.says({"choice": "taylor"}, {"width": 8}, {"width": 8})
    assert run("live", *with_model(server)) == 0
    assert run("other", "llm=replay", "llm.folder=live", "agent.layers=3") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: call 1 differs from the recording: message 2 (user) says")
    assert '"layers": 3' in line
    assert '"layers": 2' in line
    assert run("more", "llm=replay", "llm.folder=live", "seed=1") == 0


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["llm.model=openai/x"],
            "'llm.model' is set, but the backend is 'none'; no language model is configured; add llm=litellm",
        ),
        (["llm=litelm"], "no llm named 'litelm'; did you mean 'litellm'?"),
        (["llm.backend=litelm"], "no language model backend named 'litelm'; did you mean 'litellm'?"),
        (["llm=litellm"], "'llm.model' is missing"),
        (["llm=litellm", "llm.model=openai/x"], "no key for openai/x: OPENAI_API_KEY is not set"),
        (["llm=command", "llm.command=no-such-program -p"], "there is no command 'no-such-program'"),
        (["llm=replay", "llm.folder=nowhere"], "cannot replay nowhere; no such folder"),
        (["llm=replay", "llm.folder=."], "cannot replay .; it holds no calls.jsonl"),
        (["llm=replay"], "'llm.folder' is missing"),
        (["llm.caps.calls=-1"], "'llm.caps.calls' cannot be -1; input should be greater than or equal to 0"),
        (["llm=local", "llm.api_base=localhost"], "'llm.api_base' cannot be 'localhost'; it is no address"),
        (["llm=local", "llm.api_base=http://me:secret@x/v1"], "'llm.api_base' holds a name or password"),
        (["llm=command", "llm.command='x --key sk-abcdefghijklmnop1234'"], "'llm.command' holds what looks like a key"),
        (["llm=command", "llm.caps.cost=1"], "'llm.caps.cost' cannot be kept"),
        (["llm.caps.call=1"], "unknown key 'llm.caps.call'; did you mean 'llm.caps.calls'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_line_and_exit_code_2(
    run: Run, capsys: pytest.CaptureFixture[str], overrides: list[str], message: str
) -> None:
    assert run("wrong", *overrides) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ({"body": "<html>hello</html>", "headers": {"Content-Type": "text/html"}}, "answers with a web page (HTML)"),
        ({"status": 401, "body": '{"error": {"message": "who are you?"}}'}, "openai/x refuses the key (HTTP 401)"),
    ],
)
def test_an_address_or_a_key_that_is_wrong_ends_the_run(
    server: Any, turn: Any, run: Run, capsys: pytest.CaptureFixture[str], trouble: dict[str, Any], message: str
) -> None:
    server.says(turn(**trouble))
    assert run("wrong", *with_model(server)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
