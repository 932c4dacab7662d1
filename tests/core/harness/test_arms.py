"""Tests of worker processes: that they answer, and what becomes of those that do not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from netwright.cases import CaseOptions
from netwright.errors import UserError
from netwright.harness import EAGER, Variant, protocol
from netwright.harness.arms import Arm, ArmError
from netwright.harness.protocol import Draw
from netwright.sandbox import best_level

CaseName = Callable[[str], str]
MakeVariant = Callable[[str, str], Variant]


def run(arm: Arm, draw: Draw = Draw(), timeout: float = 60) -> tuple[protocol.Observed, dict[str, torch.Tensor]]:  # noqa: B008
    return arm.ask(protocol.Run(draw=draw), protocol.Observed, timeout=timeout)


@pytest.mark.slow
def test_a_worker_answers_and_ends_with_its_block(case_name: CaseName) -> None:
    with Arm(case_name("Perceptron"), CaseOptions(), EAGER, threads=1) as arm:
        loaded = arm.ready()
        assert (loaded.dtype, loaded.batch_size, loaded.input_bytes) == ("float32", 8, 4 * 8 * 16)
        assert loaded.settings["threads"] == "1"
        observed, tensors = run(arm)
        assert tensors["output 0"].shape == (8, 40)
        assert arm.wall_s > observed.seconds > 0
        number, _ = arm.ask(protocol.Memory(), protocol.Number, timeout=60)
        assert number.value
        process = arm._process
    assert process.exit_code() == -signal.SIGKILL


@pytest.mark.slow
def test_failures_come_back_as_errors_that_say_what_happened(case_name: CaseName, local_variant: MakeVariant) -> None:
    hostile = ("crashes", "exits", "hangs", "intrudes", "no_timers")
    files = {"raises": "cheats.py", "does_not_load": "cheats.py"} | dict.fromkeys(hostile, "hostile.py")
    with ExitStack() as stack:
        arms = {
            name: stack.enter_context(Arm(case_name("Perceptron"), CaseOptions(), local_variant(file, name), threads=1))
            for name, file in files.items()
        }
        said = {}
        for name, arm in arms.items():
            with pytest.raises(ArmError) as caught:
                run(arm, timeout=1 if name == "hangs" else 60)
            said[name] = caught.value
        assert said["raises"].what == "ValueError: no thank you"
        assert said["raises"].stage == "call"
        assert "in forward" in said["raises"].traceback
        assert arms["raises"].alive
        assert said["does_not_load"].what == "RuntimeError: cannot be built"
        assert said["does_not_load"].stage == "variant"
        assert "killed by SIGABRT" in str(said["crashes"])
        assert "about to crash" in str(said["crashes"])
        assert "exit code 3" in str(said["exits"])
        assert "gave no answer in 1 s" in str(said["hangs"])
        assert "answered what is no answer" in str(said["intrudes"])
        assert "it replaces builtins" not in str(said["no_timers"])
        assert "time.perf_counter_ns" in str(said["no_timers"])
        assert [said[name].check for name in ("raises", "exits", "hangs", "intrudes")] == [
            "runs",
            "loads",
            "runs",
            "integrity",
        ]
        for name in hostile:
            assert not arms[name].alive
            with pytest.raises(ArmError):
                run(arms[name])


@pytest.mark.usefixtures("threaded_workers")
def test_a_wrong_case_is_the_users_error() -> None:
    with Arm("script:no_such_file.py:Model", CaseOptions(), EAGER, threads=1) as arm:
        with pytest.raises(UserError, match=r"cannot read no_such_file\.py"):
            arm.ready()
        with pytest.raises(UserError):
            run(arm)


@pytest.mark.slow
def test_a_worker_dies_with_its_judge(case_name: CaseName) -> None:
    program = (
        "import sys, time\n"
        "from netwright.cases import CaseOptions\n"
        "from netwright.harness import EAGER\n"
        "from netwright.harness.arms import Arm\n"
        f"arm = Arm({case_name('Perceptron')!r}, CaseOptions(), EAGER, threads=1)\n"
        "arm.ready()\n"
        "print(arm._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as judge:
        assert judge.stdout is not None
        worker = int(judge.stdout.readline())
        judge.kill()
        judge.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _runs(worker):
        os.sched_yield()
    assert not _runs(worker)


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.slow
@pytest.mark.skipif(best_level() == "rlimits", reason="this machine confines no files")
def test_a_candidate_gets_no_keys_and_writes_nowhere_but_in_its_scratch_folder(
    case_name: CaseName, local_variant: MakeVariant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MY_API_KEY", "secret")
    candidate = local_variant("hostile.py", "looks_around")
    with Arm(case_name("Perceptron"), CaseOptions(), candidate, threads=1) as arm:
        with pytest.raises(ArmError, match=r"it saw \[\]"):
            run(arm)
        with Arm(case_name("Perceptron"), CaseOptions(), local_variant("honest.py", "folded"), threads=1) as other:
            other.ask(protocol.WarmUp(draw=Draw(), seconds=0.0), protocol.WarmedUp, timeout=60)
            trace = tmp_path / "trace.json"
            assert other.profile(1, trace, timeout=60).ops
            assert "traceEvents" in trace.read_text()
        scratch = arm._process.scratch
        assert scratch is not None
    assert not scratch.exists()
