"""Collecting the runs below a folder."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from netwright.collect import Collection, collect
from netwright.errors import UserError
from netwright.result import ErrorRecord, Measurement, Result, Status
from netwright.runfolder import RunFolder

START = datetime(2026, 1, 1, tzinfo=UTC)


def leave_run(
    folder: Path,
    *,
    label: str = "taylor",
    seed: int = 0,
    accuracy: float = 0.9,
    status: Status = "ok",
    error: str = "",
    minutes: int = 0,
) -> None:
    config = {"agent": {"name": "pruner"}, "baseline": label, "seed": seed}
    rows = [
        Measurement(label=label, metric="accuracy", value=accuracy, case="digits_cnn", seed=seed),
        Measurement(label=label, metric="speedup", value=1.5, case="digits_cnn", seed=seed),
        Measurement(label=label, metric="peak_memory_bytes", value=None, not_measured="no CUDA device", seed=seed),
    ]
    result = Result(
        status=status,
        agent="pruner",
        case="digits_cnn",
        config=config,
        config_hash=json.dumps(config),
        seed=seed,
        started=START + timedelta(minutes=minutes),
        duration_s=1.0,
        measurements=[] if status == "failed" else rows,
        errors=[ErrorRecord(where="job", message=error)] if error else [],
    )
    RunFolder(folder).write_result(result)


def means(collection: Collection, metric: str = "accuracy") -> dict[str, float | None]:
    return {group.label: group.mean for group in collection.groups if group.metric == metric}


def problems(collection: Collection) -> list[tuple[str, str]]:
    return [(problem.kind, problem.folder) for problem in collection.problems]


def shown(collection: Collection) -> str:
    console = Console(width=80, file=io.StringIO(), no_color=True)
    console.print(collection)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def leave_sweep(folder: Path) -> None:
    for minute, (label, seed) in enumerate((label, seed) for label in ("taylor", "random") for seed in (0, 1, 2)):
        accuracy = (0.95 if label == "taylor" else 0.9) + 0.01 * seed
        leave_run(folder / f"{label}-{seed}", label=label, seed=seed, accuracy=accuracy, minutes=minute)


def test_a_sweep_becomes_means_over_seeds(tmp_path: Path) -> None:
    leave_sweep(tmp_path)
    collection = collect(tmp_path)
    assert collection.runs == 6
    assert means(collection) == pytest.approx({"taylor": 0.96, "random": 0.91})
    assert all(group.seeds == [0, 1, 2] for group in collection.groups if group.mean is not None)
    assert collection.problems == []


def test_runs_that_failed_are_listed_with_their_own_error_and_hide_no_other(tmp_path: Path) -> None:
    leave_run(tmp_path / "good")
    leave_run(tmp_path / "bad", seed=1, status="failed", error="it ran out of memory")
    collection = collect(tmp_path)
    assert means(collection) == {"taylor": 0.9}
    assert [(problem.kind, problem.message) for problem in collection.problems] == [("failed", "it ran out of memory")]
    assert "failed: bad: it ran out of memory" in shown(collection)
    assert "1 run collected, 1 failed" in shown(collection)


def test_a_sweep_in_which_all_failed_still_lists_them(tmp_path: Path) -> None:
    leave_run(tmp_path / "bad", status="failed", error="no")
    assert problems(collect(tmp_path)) == [("failed", "bad")]
    assert "failed: bad: no" in shown(collect(tmp_path))


def test_partial_runs_count_and_their_errors_are_listed(tmp_path: Path) -> None:
    leave_run(tmp_path / "half", status="partial", error="one method vanished")
    collection = collect(tmp_path)
    assert means(collection) == {"taylor": 0.9}
    assert problems(collection) == [("partial", "half")]


def test_folders_without_a_readable_result_are_listed(tmp_path: Path) -> None:
    leave_run(tmp_path / "good")
    (tmp_path / "killed" / ".hydra").mkdir(parents=True)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "result.json").write_text('{"schema_version": 99}')
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "result.json").write_bytes(b'{"status": "\xff')
    collection = collect(tmp_path)
    assert means(collection) == {"taylor": 0.9}
    assert problems(collection) == [("unfinished", "killed"), ("unreadable", "odd"), ("unreadable", "torn")]


def test_of_two_runs_of_one_configuration_the_latest_counts(tmp_path: Path) -> None:
    leave_run(tmp_path / "b-first", accuracy=0.5)
    leave_run(tmp_path / "a-second", accuracy=0.9, minutes=5)
    collection = collect(tmp_path)
    assert means(collection) == {"taylor": 0.9}
    assert problems(collection) == [("duplicate", "b-first")]
    assert "a-second" in collection.problems[0].message


def test_a_later_failure_does_not_take_the_place_of_a_result(tmp_path: Path) -> None:
    leave_run(tmp_path / "good", accuracy=0.9)
    leave_run(tmp_path / "bad", status="failed", error="no", minutes=5)
    collection = collect(tmp_path)
    assert means(collection) == {"taylor": 0.9}
    assert problems(collection) == [("duplicate", "bad")]


def test_a_failure_that_was_repeated_with_success_is_no_failure(tmp_path: Path) -> None:
    leave_run(tmp_path / "bad", status="failed", error="no")
    leave_run(tmp_path / "again", minutes=5)
    assert problems(collect(tmp_path)) == [("duplicate", "bad")]


def test_a_run_folder_itself_can_be_collected(tmp_path: Path) -> None:
    leave_run(tmp_path)
    assert means(collect(tmp_path)) == {"taylor": 0.9}


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_a_folder_without_runs_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no runs below"):
        collect(tmp_path / name)


def test_metrics_can_be_chosen(tmp_path: Path) -> None:
    leave_run(tmp_path)
    assert collect(tmp_path, metrics=["accuracy"]).metrics == ["accuracy"]
    with pytest.raises(UserError, match="did you mean 'accuracy'"):
        collect(tmp_path, metrics=["acuracy"])


def test_the_table_fits_80_columns_and_says_what_else_there_is(tmp_path: Path) -> None:
    leave_sweep(tmp_path)
    text = shown(collect(tmp_path, metrics=["accuracy"]))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "0.9600 ± 0.0058" in text  # 0.01 / sqrt(3)
    assert "also measured: speedup\n" in text
    assert "not measured: peak_memory_bytes: no CUDA device" in text


def test_files_hold_every_group(tmp_path: Path) -> None:
    leave_sweep(tmp_path / "sweep")
    collection = collect(tmp_path / "sweep", metrics=["accuracy"])
    paths = collection.write(tmp_path / "out")
    assert [path.name for path in paths] == ["collected.csv", "collected.json", "collected.html"]
    rows = list(csv.DictReader(io.StringIO(paths[0].read_text())))
    assert len(rows) == 6
    assert rows[0]["label"] == "taylor"
    assert float(rows[0]["mean"]) == pytest.approx(0.96)
    assert float(rows[0]["standard_error"]) == pytest.approx(0.01 / 3**0.5)
    assert rows[0]["seeds"] == "0 1 2"
    assert rows[2]["not_measured"] == "no CUDA device"
    assert Collection.model_validate_json(paths[1].read_text()) == collection
    assert "sweep" in paths[2].read_text()


def test_names_with_commas_and_quotes_survive_the_csv(tmp_path: Path) -> None:
    leave_run(tmp_path, label='a,"b"\nc')
    collect(tmp_path).write_csv(tmp_path / "c.csv")
    with (tmp_path / "c.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["label"] == 'a,"b"\nc'
