"""Variants of `models.Perceptron` that attack the worker instead; the comment names the check that must catch it."""

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

Forward = Callable[[Tensor], object]


def no_timers(module: Any) -> object:  # integrity
    time.perf_counter_ns = lambda: 0
    return module


def crashes(module: Any) -> Forward:  # runs
    def forward(x: Tensor) -> Tensor:
        print("about to crash")
        os.abort()

    return forward


def exits(module: Any) -> Forward:  # loads
    os._exit(3)


def hangs(module: Any) -> Forward:  # runs
    def forward(x: Tensor) -> Tensor:
        while True:
            time.sleep(1)

    return forward


def intrudes(module: Any) -> object:  # integrity
    from netwright.harness.channel import Channel

    for found in gc.get_objects():
        if isinstance(found, Channel):
            found.send("token answered {}")
    return module


def looks_around(module: Any) -> Forward:  # nothing, but there is nothing to see
    def forward(x: Tensor) -> Tensor:
        seen = [name for name in ("MY_API_KEY", "HOME") if os.environ.get(name) == "secret"]
        target = Path(__file__).with_name("written by a candidate")
        try:
            target.write_text("here I was")
            seen.append("a file beside its own")
        except OSError:
            pass
        Path(os.environ["TMPDIR"], "scratch").write_text(Path(__file__).read_text())
        raise ValueError(f"it saw {seen}")

    return forward
