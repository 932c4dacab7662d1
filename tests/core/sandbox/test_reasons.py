"""Why a caged program ended as it did."""

import pytest

from netwright.sandbox import Ended, Limits, Reason, Resources
from netwright.sandbox.reasons import explain

LIMITS = Limits(wall_s=3, cpu_s=2, memory_mib=256, processes=7, output_mib=1)


@pytest.mark.parametrize(
    ("code", "stopped", "output", "reason", "detail"),
    [
        (0, None, "PermissionError", "ok", ""),
        (3, None, "", "failed", "ended with 3"),
        (-11, None, "", "killed", "SIGSEGV"),
        (-9, "wall", "", "timeout", "3 s"),
        (-9, "cpu", "", "timeout", "2 s of CPU"),
        (-24, None, "", "timeout", "2 s of CPU"),
        (-25, None, "", "file_size", "1024 MiB"),
        (-9, "memory", "", "memory", "256 MiB"),
        (-9, "processes", "", "killed", "7 processes"),
        (-9, "killed", "", "killed", "from outside"),
        (1, None, "MemoryError", "memory", "refused"),
        (-6, None, "terminate called after throwing an instance of 'std::bad_alloc'", "memory", "refused"),
        (1, None, "OSError: [Errno 27] File too large", "file_size", "refused"),
        (1, None, "sh: cannot create /x: Permission denied", "denied", "refused"),
        (1, None, "PermissionError" + "." * 3000 + "ValueError", "failed", "ended with 1"),
    ],
)
def test_every_end_has_its_reason(code: int, stopped: str | None, output: str, reason: Reason, detail: str) -> None:
    ended = Ended(
        exit_code=code,
        stopped=stopped,
        resources=Resources(wall_s=1, cpu_s=1, peak_memory_bytes=1, processes=1),
    )
    found, words = explain(ended, LIMITS, output, full=False)
    assert found == reason
    assert detail in words
    assert explain(ended, LIMITS, output, full=True)[0] == "output_limit"
