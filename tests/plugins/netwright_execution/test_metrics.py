"""Tests of the metrics of speed and size."""

import torch
from torch import nn

from netwright.cases import Inputs
from netwright.harness import Timing
from netwright.registry import registry
from netwright_execution import metrics

TIMING = Timing(label="it", times_ms=(2.0,), median_ms=2.0, batch_size=4, peak_memory_bytes=1000)


def test_metrics_of_a_timing() -> None:
    assert metrics.latency_ms(TIMING) == 2.0
    assert metrics.throughput(TIMING) == 2000.0
    assert metrics.peak_memory_bytes(TIMING) == 1000


def test_what_was_not_measured_has_no_metric() -> None:
    missing = Timing(label="it", not_measured="no CUDA device")
    assert metrics.latency_ms(missing) is metrics.throughput(missing) is metrics.peak_memory_bytes(missing) is None


def test_metrics_of_a_model() -> None:
    layer, inputs = nn.Linear(3, 5), Inputs((torch.zeros(2, 3),))
    assert metrics.parameters(layer, inputs) == 20
    assert metrics.macs(layer, inputs) == 30
    assert metrics.flops(layer, inputs) == 60


def test_each_is_registered_with_its_unit_and_direction() -> None:
    specs = [registry().metric(name) for name in ("latency_ms", "throughput", "peak_memory_bytes", "macs", "flops")]
    assert [spec.unit for spec in specs] == ["ms", "samples/s", "bytes", "MACs", "FLOPs"]
    assert [spec.direction for spec in specs] == ["lower", "higher", "lower", "lower", "lower"]
    assert [spec.of for spec in specs] == ["timing"] * 3 + ["model"] * 2
    assert all(callable(registry().load("metric", spec.name)) for spec in specs)
