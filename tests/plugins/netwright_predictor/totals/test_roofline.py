"""The roofline: whichever takes longer, and what cannot be hidden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright_predictor.totals.hardware import Hardware
from netwright_predictor.totals.roofline import bound

DEVICE = Hardware(name="toy", flops={"bfloat16": 1e12}, bandwidth=1e9, interconnect=1e8)


def test_a_bound_by_arithmetic() -> None:
    found = bound(DEVICE, "bfloat16", flops=2 * 10**12, traffic_bytes=10**9, sent_bytes=0, tokens=100)
    assert found.latency_ms == pytest.approx(2000.0)
    assert found.limited_by == "compute"
    assert found.tokens_per_second == pytest.approx(50.0)


def test_a_bound_by_memory() -> None:
    found = bound(DEVICE, "bfloat16", flops=10**9, traffic_bytes=3 * 10**9, sent_bytes=0, tokens=1)
    assert found.latency_ms == pytest.approx(3000.0)
    assert found.limited_by == "memory"


def test_communication_is_added() -> None:
    found = bound(DEVICE, "bfloat16", flops=10**12, traffic_bytes=10**9, sent_bytes=10**9, tokens=1)
    assert found.latency_ms == pytest.approx(11_000.0)
    assert found.limited_by == "communication"


@given(st.integers(1, 10**15), st.integers(1, 10**12))
def test_the_ridge_tells_which_limit_holds(flops: int, traffic: int) -> None:
    found = bound(DEVICE, "bfloat16", flops=flops, traffic_bytes=traffic, sent_bytes=0, tokens=1)
    if found.flops_per_byte > 1.001 * 1e12 / 1e9:
        assert found.limited_by == "compute"
    if found.flops_per_byte < 0.999 * 1e12 / 1e9:
        assert found.limited_by == "memory"
