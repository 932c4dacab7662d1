"""The run's folder: paths, logs and the typed result."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from netwright.errors import UserError
from netwright.result import Measurement, Result, Series, TableBlock
from netwright.runfolder import RunFolder, read_json_lines, read_result


def result(**details: object) -> Result:
    values = {
        "status": "ok",
        "agent": "pruner",
        "case": "digits_cnn",
        "config": {"seed": 0},
        "config_hash": "abc",
        "seed": 0,
        "started": datetime(2026, 1, 1, tzinfo=UTC),
        "duration_s": 1.5,
    }
    return Result.model_validate({**values, **details})


def test_names_are_fixed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "deep" / "run")
    assert folder.path.is_dir()
    names = [folder.result_file, folder.environment_file, folder.events_file, folder.decisions_file, folder.report_file]
    assert [path.name for path in names] == [
        "result.json",
        "environment.json",
        "events.jsonl",
        "decisions.jsonl",
        "report.html",
    ]
    assert folder.tensorboard == folder.path / "tensorboard"
    assert folder.llm == folder.path / "llm"
    assert folder.artifact("taylor") == folder.path / "artifacts" / "taylor"
    assert folder.artifact("taylor").is_dir()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        RunFolder(tmp_path / "file" / "run")
    folder = RunFolder(tmp_path / "run")
    (folder.path / "artifacts").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        folder.artifact("taylor")


def test_events_and_decisions_are_appended_with_the_time(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.event("step_started", step="train")
    folder.event("step_ended", step="train")
    folder.decision({"question": "which?", "decision": "this"})
    events = list(read_json_lines(folder.events_file))
    assert [event["event"] for event in events] == ["step_started", "step_ended"]
    stamps = [datetime.fromisoformat(event["time"]) for event in events]
    assert stamps == sorted(stamps)
    assert stamps[0].utcoffset() is not None
    (decision,) = read_json_lines(folder.decisions_file)
    assert decision["decision"] == "this"


def test_a_torn_last_line_is_skipped(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.event("first")
    with folder.events_file.open("ab") as file:
        file.write('{"event": "tor\u00fc'.encode()[:-1])
    assert [event["event"] for event in read_json_lines(folder.events_file)] == ["first"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(texts=st.lists(st.text(), max_size=4))
@example(texts=["one\u2028line", "next\x85"])
def test_any_text_survives_a_log(tmp_path: Path, texts: list[str]) -> None:
    folder = RunFolder(tmp_path)
    folder.events_file.unlink(missing_ok=True)
    for text in texts:
        folder.event("said", text=text)
    assert [event["text"] for event in read_json_lines(folder.events_file)] == texts


def test_a_log_that_is_absent_is_empty(tmp_path: Path) -> None:
    assert list(read_json_lines(tmp_path / "events.jsonl")) == []


def test_a_result_reads_back(tmp_path: Path) -> None:
    written = result(
        measurements=[Measurement(label="a", metric="m", value=1.5, ci=(1.0, 2.0), stage="s")],
        blocks=[TableBlock(title="t", columns=["a"], rows=[["1"]])],
        metrics={"deep": {"list": [1, None]}},
    )
    RunFolder(tmp_path).write_result(written)
    assert read_result(tmp_path) == written


def test_numbers_that_json_lacks_keep_the_file_valid(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_result(result(measurements=[Measurement(label="a", metric="m", value=math.nan, ci=(-math.inf, 1))]))

    def refuse(token: str) -> float:
        raise AssertionError(token)

    json.loads(folder.result_file.read_text(), parse_constant=refuse)
    (row,) = read_result(tmp_path).measurements
    assert row.value is not None
    assert math.isnan(row.value)
    assert row.ci == (-math.inf, 1)


def test_no_result_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no result\.json"):
        read_result(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema_version": 2}', b"\xff"])
def test_another_versions_result_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "result.json").write_bytes(content)
    with pytest.raises(UserError, match="is not a result of this version") as caught:
        read_result(tmp_path)
    assert "\n" not in str(caught.value)


def test_paths_are_relative_to_the_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.relative(folder.artifact("a") / "model.safetensors") == "artifacts/a/model.safetensors"
    with pytest.raises(ValueError, match="subpath"):
        folder.relative(tmp_path.parent)


def test_blocks_hold_what_they_announce() -> None:
    with pytest.raises(ValueError, match="table 't' has 2 columns"):
        TableBlock(title="t", columns=["a", "b"], rows=[["1"]])
    with pytest.raises(ValueError, match="series 's' has 1 values of y"):
        Series(label="s", x=[1, 2], y=[1])
