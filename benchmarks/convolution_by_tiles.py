"""Where a convolution on tiles (Winograd) is faster than oneDNN's own, and how exact it is.

Per shape: convolution and ReLU, eager in both layouts, through torch.compile, and by tiles through torch.compile, in
alternating rounds. The constants of `netwright_fusion.rules.winograd` were chosen by these numbers: `pays` is what the
rule says of the shape, `ratio` the fastest of the others over it.

    python benchmarks/convolution_by_tiles.py [--rounds 30]
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F

from _results import describe_machine, write_results
from netwright_fusion.rules.tiles import convolution_by_tiles, tile_weights
from netwright_fusion.rules.winograd import Winograd

SHAPES = (
    # batch, channels in, spatial sizes, channels out, kernel
    (4, 16, (64, 64), 16, 3),
    (4, 32, (32, 32), 32, 3),
    (2, 16, (64, 64), 64, 3),
    (2, 64, (32, 32), 64, 3),
    (4, 64, (56, 56), 128, 3),
    (1, 128, (28, 28), 128, 3),
    (1, 256, (14, 14), 256, 3),
    (8, 256, (14, 14), 256, 3),
    (1, 512, (7, 7), 512, 3),
    (8, 512, (7, 7), 512, 3),
    (2, 64, (32, 32), 64, 5),
    (2, 64, (32, 32), 64, 2),
    (4, 16, (8, 32, 32), 32, 3),
    (2, 32, (8, 32, 32), 64, 3),
    (2, 64, (8, 16, 16), 64, 3),
)


def main() -> None:
    """Measure every shape, print a line each, and write the dated JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    rows = []
    with torch.no_grad():
        for shape in SHAPES:
            rows.append(measure(*shape, rounds=rounds))
            print(rows[-1], flush=True)
    write_results("convolution-by-tiles", {"machine": describe_machine(), "rounds": rounds, "rows": rows})


def measure(
    batch: int, channels: int, spatial: tuple[int, ...], outputs: int, size: int, *, rounds: int
) -> dict[str, Any]:
    """The medians of one shape, in milliseconds, and the errors against float64."""
    torch.manual_seed(0)
    torch.compiler.reset()
    kernel, padding = (size,) * len(spatial), (size // 2,) * len(spatial)
    operator = F.conv2d if len(spatial) == 2 else F.conv3d
    layout = torch.channels_last if len(spatial) == 2 else torch.channels_last_3d
    x = torch.randn(batch, channels, *spatial)
    weight = torch.randn(outputs, channels, *kernel) / (channels * size ** len(spatial)) ** 0.5
    bias, values = torch.randn(outputs), tile_weights(weight)
    lasting, lasting_weight = (each.contiguous(memory_format=layout) for each in (x, weight))

    def plain(x: Tensor, weight: Tensor) -> Tensor:
        return operator(x, weight, bias, padding=padding).relu()

    compiled = torch.compile(plain)
    tiled = torch.compile(lambda x: convolution_by_tiles(x, values, bias, kernel, padding).relu())
    ways = {
        "eager": lambda: plain(x, weight),
        "eager_channels_last": lambda: plain(lasting, lasting_weight),
        "compiled": lambda: compiled(x, weight),
        "tiles_compiled": lambda: tiled(x),
    }
    times = interleaved(ways, rounds)
    exact = operator(x.double(), weight.double(), bias.double(), padding=padding).relu()
    errors = {name: rms(ways[name]() - exact) / rms(exact) for name in ("eager", "tiles_compiled")}
    others = min(time for name, time in times.items() if name != "tiles_compiled")
    return {
        "shape": [batch, channels, *spatial],
        "outputs": outputs,
        "kernel": size,
        "pays": says_it_pays(plain, x, weight),
        "milliseconds": {name: round(value, 3) for name, value in times.items()},
        "ratio": round(others / times["tiles_compiled"], 2),
        "relative_errors": {name: float(f"{value:.2g}") for name, value in errors.items()},
    }


def says_it_pays(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, weight: Tensor) -> bool:
    """What the rule says, weights fixed."""
    graph = make_fx(lambda x: function(x, weight), pre_dispatch=True, tracing_mode="fake", _allow_non_fake_inputs=True)(
        x
    )
    return any(Winograd().sites(graph))


def interleaved(ways: dict[str, Callable[[], Tensor]], rounds: int) -> dict[str, float]:
    """The median milliseconds of each, over rounds in which all take turns."""
    for function in ways.values():
        for _ in range(3):
            function()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, function in ways.items():
            started = time.perf_counter()
            function()
            times[name].append(1e3 * (time.perf_counter() - started))
    return {name: median(values) for name, values in times.items()}


def rms(values: Tensor) -> float:
    """The root of the mean of squares."""
    return float(values.square().mean().sqrt())


if __name__ == "__main__":
    main()
