"""Choosing a configuration: measured where there is a GPU, the default elsewhere, and never a failure."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from netwright.cases import Inputs
from netwright_fusion.capture import capture
from netwright_fusion.kernels import tuning
from netwright_fusion.kernels.rows import Rows


@pytest.fixture
def site():
    with torch.no_grad():
        graph = capture(nn.Softmax(-1).eval(), Inputs((torch.randn(3, 4096),))).graph
    return next(iter(Rows().sites(graph)))


def test_on_a_cpu_programs_are_few_and_large(site):
    default, tuned = Rows().configs(site)[0], Rows().tuned(site)
    assert tuned["BLOCK"] == default["BLOCK"] == 4096
    assert tuned["ROWS"] == 16


def test_the_fastest_of_those_that_were_measured_is_taken(site, monkeypatch):
    monkeypatch.setattr(tuning, "_known", {})
    monkeypatch.setattr(tuning, "_measured", lambda *_: (None, 0.3, 0.2))
    assert tuning.fastest([("a", "a"), ("b", "b"), ("c", "c")], site.region.inputs) == 2


def test_where_nothing_could_be_measured_the_default_is_taken(site, monkeypatch):
    monkeypatch.setattr(tuning, "_known", {})
    monkeypatch.setattr(tuning, "_measured", lambda *_: (None, None))
    assert tuning.fastest([("a", "a"), ("b", "b")], site.region.inputs) == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_child_that_dies_is_no_measurement():
    layout = {"shape": [4], "stride": [1], "dtype": "float32"}
    request = json.dumps({"sources": [("", "nothing")], "inputs": [layout]})
    assert tuning._measured(request, 1) == (None,)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_child_measures(site):
    call = Rows().build(site)
    request = {"sources": [(call.source, call.name)], "inputs": [tuning._layout(node) for node in site.region.inputs]}
    child = [sys.executable, "-m", "netwright_fusion.kernels.tuning"]
    answer = subprocess.run(child, input=json.dumps(request), capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout)["ms"] > 0
