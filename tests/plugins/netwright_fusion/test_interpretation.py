"""Kernels under the interpreter: one that crashes its process or computes something else is named, the others stay."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from netwright.agent import Job
from netwright_fusion import interpretation
from netwright_fusion.config import FusionConfig
from netwright_fusion.interpretation import LABEL, verify_interpreted
from netwright_fusion.kernels.rows import Rows
from netwright_fusion.kernels.template import Config, KernelCall, KernelSite
from netwright_fusion.workbench import Workbench

TWO_ROWS = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        return torch.softmax(x, dim=2).cumsum(dim=1)


def get_inputs():
    return [torch.randn(4, 6, 8)]
"""


@pytest.fixture
def bench(project: Path) -> Iterator[Workbench]:
    (project / "model.py").write_text(TWO_ROWS)
    with closing(Workbench(Job(case="script:model.py:Model"), FusionConfig(), project / "run")) as bench:
        yield bench


def spoil(monkeypatch: pytest.MonkeyPatch, load: str) -> None:
    """Have the kernels of cumulative sums load their input in another way."""
    build = Rows.build

    def spoiled(self: Rows, site: KernelSite, config: Config | None = None, name: str | None = None) -> KernelCall:
        call = build(self, site, config, name)
        return replace(call, source=call.source.replace("tl.load(", load)) if "cumsum" in call.name else call

    monkeypatch.setattr(Rows, "build", spoiled)


def checked(bench: Workbench) -> tuple[dict[str, str], str | None]:
    """Per kernel whether it was left out and why, and what is said of the whole."""
    fused = bench.engineer.with_kernels(bench.engineer.only([]), ())
    assert len(fused.kernels) == 2
    candidate = bench.engineer.write(LABEL, "triton", fused, "eager")
    records, reason = verify_interpreted(bench, candidate, ())
    assert all(each.verified is not bool(each.dropped) for each in records)
    assert all(each.not_timed == interpretation.NO_DEVICE for each in records)
    return {each.name: each.dropped for each in records}, reason


@pytest.mark.slow
def test_right_kernels_are_verified(bench: Workbench) -> None:
    found, reason = checked(bench)
    assert (list(found.values()), reason) == (["", ""], None)


@pytest.mark.slow
def test_a_kernel_that_crashes_its_process_is_left_out(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, f"tl.load({1 << 40} + ")
    found, reason = checked(bench)
    assert reason is None
    assert [name for name, dropped in found.items() if dropped] == ["fused_cumsum"]
    assert "SIGSEGV" in found["fused_cumsum"]


@pytest.mark.slow
def test_a_kernel_that_computes_something_else_is_left_out(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, "1.0 + tl.load(")
    found, reason = checked(bench)
    assert reason is None
    assert "accuracy" in found["fused_cumsum"]
