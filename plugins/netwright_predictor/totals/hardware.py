"""Hardware: what a device can do at best, from its maker's datasheet, from the user, or measured here."""

import os
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml
from pydantic import Field

from netwright.config import Config, parse_config
from netwright.errors import UserError, unknown_name

MEASURED: Final = "cpu"
"""The preset that is measured on the machine at hand."""
WORKING_SET: Final = 512 << 20
"""Bytes that a measurement of bandwidth walks through: more than caches hold."""


class Hardware(Config):
    """One device."""

    name: str = "custom"
    flops: dict[str, float]
    """Floating-point operations per second by number format; dense."""
    bandwidth: float = Field(gt=0)
    """Bytes per second of device memory."""
    memory: float | None = Field(default=None, gt=0)
    """Bytes of device memory."""
    interconnect: float | None = Field(default=None, gt=0)
    """Bytes per second that it sends to other devices; needed where there is more than one."""
    source: str = "given by the user"
    """Where the numbers come from."""

    def rate(self, number_format: str) -> float:
        """FLOP/s in a format.

        Raises:
            UserError: Its rate is not known.
        """
        if number_format not in self.flops:
            raise UserError(
                f"hardware '{self.name}' has no rate for {number_format}",
                why=f"it has: {', '.join(self.flops)}",
                remedy="choose another dtype, or give the hardware as {flops: {...}, bandwidth: ...}",
            )
        return self.flops[number_format]

    def link(self) -> float:
        """Bytes per second that it sends.

        Raises:
            UserError: Its interconnect is not known.
        """
        if self.interconnect is None:
            raise UserError(
                f"hardware '{self.name}' has no interconnect",
                why="more than one device needs one",
                remedy="give the hardware as {interconnect: BYTES_PER_SECOND, ...}",
            )
        return self.interconnect


@cache
def presets() -> Mapping[str, Hardware]:
    """The devices that are known from datasheets."""
    text = files("netwright_predictor.totals").joinpath("hardware.yaml").read_text(encoding="utf-8")
    return {name: Hardware(name=name, **values) for name, values in yaml.safe_load(text).items()}


def find_hardware(choice: str | Mapping[str, Any] | Hardware | None) -> Hardware | None:
    """A device by name, or by its numbers.

    Args:
        choice: A preset, "cpu" for the machine at hand, the fields of `Hardware`, or None for no device.

    Raises:
        UserError: There is no such preset, or a number is missing or wrong.
    """
    if choice is None or isinstance(choice, Hardware):
        return choice
    if isinstance(choice, Mapping):
        hardware = parse_config(Hardware, choice, path="hardware")
        wrong = [name for name, rate in hardware.flops.items() if not rate > 0]
        if wrong or not hardware.flops:
            raise UserError(f"hardware.flops needs positive rates, not {dict(hardware.flops)}")
        return hardware
    if choice == MEASURED:
        return measured()
    if choice not in presets():
        raise unknown_name("hardware preset", choice, [*presets(), MEASURED])
    return presets()[choice]


@cache
def measured() -> Hardware:
    """The processor at hand: its best matrix product and copy, measured by netwright's harness."""
    import torch

    from netwright.harness.clock import Clock
    from netwright.harness.machine import bandwidth, peak_rate

    device = torch.device("cpu")
    clock = Clock()
    rates = {
        str(dtype).removeprefix("torch."): peak_rate(dtype, device, clock) for dtype in (torch.float32, torch.bfloat16)
    }
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Hardware(
        name=MEASURED,
        flops=rates,
        bandwidth=bandwidth(WORKING_SET, device, clock),
        memory=float(memory),
        source=f"measured here with {torch.get_num_threads()} threads: the best of several matrix products and copies",
    )
