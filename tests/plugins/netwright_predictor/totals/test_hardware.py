"""Devices: presets, numbers given by the user, and the machine at hand."""

import pytest

from netwright.errors import UserError
from netwright_predictor.totals.hardware import find_hardware, presets


@pytest.mark.parametrize(
    ("name", "flops", "bandwidth", "memory"),
    [
        ("h100", 989.4e12, 3.35e12, 80e9),
        ("h200", 989.4e12, 4.8e12, 141e9),
        ("a100", 312e12, 2.039e12, 80e9),
        ("l4", 121e12, 300e9, 24e9),
        ("mi300x", 1307.4e12, 5.3e12, 192e9),
    ],
)
def test_presets_have_the_numbers_of_their_datasheets(name: str, flops: float, bandwidth: float, memory: float) -> None:
    hardware = find_hardware(name)
    assert hardware is not None
    assert (hardware.rate("bfloat16"), hardware.bandwidth, hardware.memory) == (flops, bandwidth, memory)


def test_every_preset_names_its_source() -> None:
    assert all("datasheet" in each.source or "data sheet" in each.source for each in presets().values())


def test_a_device_may_be_given_by_its_numbers() -> None:
    hardware = find_hardware({"flops": {"bfloat16": 1e12}, "bandwidth": 1e9})
    assert hardware is not None
    assert hardware.rate("bfloat16") == 1e12
    assert hardware.source == "given by the user"


def test_an_unknown_preset_is_one_clear_line() -> None:
    with pytest.raises(UserError, match=r"no hardware preset named 'h1000'; did you mean 'h100'\?"):
        find_hardware("h1000")


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"bandwidth": 1e9}, "'hardware.flops' is missing"),
        ({"flops": {"bfloat16": 1e12}, "bandwidth": 0}, "'hardware.bandwidth' cannot be 0"),
        ({"flops": {"bfloat16": -1.0}, "bandwidth": 1e9}, "hardware.flops needs positive rates"),
        ({"flops": {}, "bandwidth": 1e9, "bandwith": 1}, "unknown key 'hardware.bandwith'"),
    ],
)
def test_wrong_numbers_are_one_clear_line(numbers: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_hardware(numbers)


def test_a_format_without_a_rate_is_one_clear_line() -> None:
    hardware = find_hardware("a100")
    assert hardware is not None
    with pytest.raises(UserError, match="hardware 'a100' has no rate for fp8"):
        hardware.rate("fp8")


def test_sending_needs_an_interconnect() -> None:
    hardware = find_hardware({"flops": {"bfloat16": 1e12}, "bandwidth": 1e9})
    assert hardware is not None
    with pytest.raises(UserError, match="no interconnect"):
        hardware.link()


@pytest.mark.slow
def test_this_machine_is_measured() -> None:
    hardware = find_hardware("cpu")
    assert hardware is not None
    assert "measured here" in hardware.source
    assert hardware.rate("float32") > 1e8
    assert hardware.bandwidth > 1e7
