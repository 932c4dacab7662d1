"""The trial: what raises, is wrong, crashes or takes too long is said, and the others go on."""

from pathlib import Path

import pytest

from netwright.cases import CaseOptions
from netwright.harness.timing import TimingConfig
from netwright.harness.variant import EAGER, Variant
from netwright_fusion.trial import Trial, TrialError

CANDIDATES = """\
import os
import time

import torch


def right(module):
    return lambda x: module(x) * 1.0


def wrong(module):
    return lambda x: module(x) + 0.1


def raises(module):
    raise ValueError("no such thing")


def crashes(module):
    os.abort()


def hangs(module):
    time.sleep(60)
"""


@pytest.mark.slow
def test_one_bad_candidate_does_not_take_the_others_down(project: Path, fake_case: str) -> None:
    (project / "candidates.py").write_text(CANDIDATES)
    timing = TimingConfig(min_rounds=2, max_rounds=2, threads=1)
    with Trial(fake_case, CaseOptions(), timing, seed=0, check=True, compile_box_s=30.0, total_box_s=300.0) as trial:
        trial.load(EAGER)
        for name in ("right", "wrong", "raises", "crashes"):
            trial.load(Variant(label=name, target=f"candidates.py:{name}"))
        trial._compile_box_s = 2.0
        trial.load(Variant(label="hangs", target="candidates.py:hangs"))
        rows = trial.time()
    assert [label for label, row in rows.items() if row.failed is None] == ["eager", "right"]
    assert rows["eager"].median_ms
    assert rows["right"].median_ms
    assert "its largest error is" in (rows["wrong"].failed or "")
    assert rows["raises"].failed == "ValueError: no such thing"
    assert rows["crashes"].failed == "its process was killed by SIGABRT"
    assert rows["hangs"].failed == "it took longer than its time box of 2 s"
    assert [label for label, row in rows.items() if row.box_hit] == ["hangs"]


def test_what_comes_after_the_time_box_is_left_out_and_said(fake_case: str) -> None:
    with Trial(
        fake_case, CaseOptions(), TimingConfig(), seed=0, check=True, compile_box_s=30.0, total_box_s=1e-9
    ) as trial:
        assert trial.load(EAGER).failed is None
        row = trial.load(Variant(label="late"))
        assert trial.load(Variant(label="needed"), needed=True).failed is None
    assert row.box_hit
    assert "used up before it was tried" in (row.failed or "")


def test_a_case_that_cannot_be_built_is_an_error(project: Path) -> None:
    (project / "broken.py").write_text(
        "from torch import nn\nclass Broken(nn.Module):\n    def __init__(self): 1 / 0\n"
    )
    with (
        Trial(
            "script:broken.py:Broken",
            CaseOptions(),
            TimingConfig(),
            seed=0,
            check=True,
            compile_box_s=30.0,
            total_box_s=60.0,
        ) as trial,
        pytest.raises(TrialError, match="cannot be built"),
    ):
        trial.load(EAGER)
