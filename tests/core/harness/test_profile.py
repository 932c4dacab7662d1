"""Tests of profiling."""

import json
from collections.abc import Callable
from pathlib import Path

import torch

from netwright.cases import Case
from netwright.harness import EAGER, Variant
from netwright.harness.clock import Clock
from netwright.harness.draws import draw_call
from netwright.harness.profile import peak_memory, profile_calls
from netwright.harness.protocol import Draw
from netwright.harness.subject import Subject

MakeCase = Callable[..., Case]
MakeVariant = Callable[[str, str], Variant]


def test_a_profile_shows_operators_operations_and_memory(model_case: MakeCase, tmp_path: Path) -> None:
    case = model_case("Perceptron")
    trace = tmp_path / "profiler" / "trace.json"
    profiled = profile_calls(Subject(case, EAGER, Clock(), Draw()), draw_call(case, Draw()), 2, trace)
    calls = {op.name: op.calls for op in profiled.ops}
    assert calls["aten::addmm"] == 4
    assert calls["aten::relu"] == 2
    assert profiled.flops >= 2 * 8 * 48 * (16 + 40)
    assert profiled.dtypes.keys() == {"float32"}
    assert profiled.allocated_bytes is not None
    assert 2 * 4 * 8 * 48 <= profiled.allocated_bytes < 100_000
    assert [op.self_ms for op in profiled.ops] == sorted((op.self_ms for op in profiled.ops), reverse=True)
    assert any(event.get("name") == "aten::addmm" for event in json.loads(trace.read_text())["traceEvents"])


def test_a_profile_shows_lower_precision(model_case: MakeCase, local_variant: MakeVariant) -> None:
    case = model_case("Perceptron")
    subject = Subject(case, local_variant("cheats.py", "half_precision"), Clock(), Draw())
    assert "bfloat16" in profile_calls(subject, draw_call(case, Draw()), 1, None).dtypes


def test_peak_memory_is_weights_inputs_and_what_a_call_holds(model_case: MakeCase) -> None:
    case = model_case("Perceptron")
    subject = Subject(case, EAGER, Clock(), Draw())
    inputs = draw_call(case, Draw())
    resident = sum(value.nbytes for value in [*subject.module.state_dict().values(), *inputs.args])
    number = peak_memory(subject, inputs)
    assert number.value is not None
    assert resident + 4 * 8 * 48 <= number.value <= resident + 4 * (3 * 8 * 48 + 8 * 40) + 1024
    assert isinstance(subject.call(inputs), torch.Tensor)
