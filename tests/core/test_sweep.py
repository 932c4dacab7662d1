"""What a sweep's end says: the worst exit code of its jobs."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from netwright.result import ErrorRecord, Result, Status
from netwright.runfolder import RunFolder
from netwright.sweep import worst_exit_code


def leave(folder: Path, status: Status, *codes: int) -> None:
    errors = [ErrorRecord(where="job", message="wrong", exit_code=code) for code in codes]
    started = datetime(2026, 1, 1, tzinfo=UTC)
    result = Result(
        status=status,
        agent="a",
        case=None,
        config={},
        config_hash=folder.name,
        seed=0,
        started=started,
        duration_s=0,
        errors=errors,
    )
    RunFolder(folder).write_result(result)


@pytest.mark.parametrize(
    ("jobs", "code"),
    [
        ([("ok", ())], 0),
        ([("ok", ()), ("partial", (1, 2))], 0),
        ([("failed", (1,)), ("partial", (2,)), ("ok", ())], 1),
        ([("failed", (1,)), ("failed", (2,))], 2),
    ],
)
def test_the_exit_code_is_the_worst_of_those_that_failed(
    tmp_path: Path, jobs: list[tuple[Status, tuple[int, ...]]], code: int
) -> None:
    for number, (status, codes) in enumerate(jobs):
        leave(tmp_path / str(number), status, *codes)
    assert worst_exit_code(tmp_path) == code


def test_a_sweep_without_results_is_done(tmp_path: Path) -> None:
    assert worst_exit_code(tmp_path) == 0
