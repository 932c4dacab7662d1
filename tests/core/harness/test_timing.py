"""Tests of timings as records."""

import subprocess
import sys

import pytest

from netwright.harness.timing import Timing, TimingConfig, speedup


def test_a_speed_up_is_the_slow_over_the_fast() -> None:
    slow, fast = Timing(label="slow", times_ms=(4.0, 4.0, 4.0)), Timing(label="fast", times_ms=(2.0, 2.0, 2.0))
    ratio = speedup(slow, fast)
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high) == (2.0, 2.0, 2.0)


def test_there_is_no_speed_up_over_what_was_not_measured() -> None:
    missing = Timing(label="slow", not_measured="no CUDA device")
    assert speedup(missing, Timing(label="fast", times_ms=(1.0,))) is None


def test_throughput_is_samples_per_second() -> None:
    assert Timing(label="it", median_ms=4.0, batch_size=32).throughput == pytest.approx(8000)
    assert Timing(label="it").throughput is None


def test_timings_survive_json() -> None:
    timing = Timing(label="it", times_ms=(1.0, 2.0), median_ms=1.5, ci_ms=(1.0, 2.0), precision={"tf32": "False"})
    assert Timing.model_validate_json(timing.model_dump_json()) == timing


def test_settings_and_the_package_itself_import_no_torch() -> None:
    program = (
        "import sys, netwright.harness\n"
        "from netwright.harness import TimingConfig, Timing, Variant, VerificationConfig, speedup\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_defaults_are_valid() -> None:
    assert TimingConfig().cache == "cold"
