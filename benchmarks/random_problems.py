"""Random problems in KernelBench's format: a layer, and a chain of operators drawn after it, that nobody chose.

The same seed gives the same problem. `fusion_random.py` runs them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

ACTIVATIONS = (
    "torch.relu(x)",
    "torch.sigmoid(x)",
    "torch.tanh(x)",
    "F.gelu(x)",
    "F.gelu(x, approximate='tanh')",
    "F.silu(x)",
    "x * torch.sigmoid(x)",
    "F.hardswish(x)",
    "F.hardsigmoid(x)",
    "F.hardtanh(x, -1.5, 1.0)",
    "F.leaky_relu(x, 0.1)",
    "F.mish(x)",
    "x * torch.tanh(F.softplus(x))",
    "F.softplus(x)",
    "F.elu(x)",
    "F.relu6(x + 3) / 6",
    "F.softsign(x)",
)
TYPICAL_MACS = 1 << 28


@dataclass
class Problem:
    """A problem in the making: the shape of `x` so far, constructor and forward lines."""

    random: Random
    shape: list[int]
    parts: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    names: int = 0

    def part(self, value: str) -> str:
        """Give the module a part or a parameter; what the forward calls it."""
        self.names += 1
        self.parts.append(f"self.part_{self.names} = {value}")
        return f"self.part_{self.names}"

    def step(self, value: str, shape: list[int] | None = None) -> None:
        """Compute a new `x`."""
        self.steps.append(f"x = {value}")
        self.shape = self.shape if shape is None else shape

    @property
    def spatial(self) -> int:
        """How many dimensions follow the channels."""
        return len(self.shape) - 2


def draw_problem(seed: int) -> str:
    """The source of a problem."""
    random = Random(seed)
    problem = Problem(random, [])
    inputs = _layer(problem)
    steps = random.randint(2, 6)
    for _ in range(steps):
        if math.prod(problem.shape) <= 1:
            break
        random.choice(_possible(problem))(problem)
    body = "\n        ".join(problem.steps)
    parts = "\n        ".join(problem.parts) or "pass"
    return f"""import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        {parts}

    def forward(self, x):
        {body}
        return x


def get_inputs():
    return [torch.rand({", ".join(map(str, inputs))})]


def get_init_inputs():
    return []
"""


def _layer(problem: Problem) -> list[int]:
    """Begin with a layer that has a lot to do; the shape of its input."""
    random = problem.random
    kind = random.choice(("linear", "linear", "sequence", "conv", "conv", "transposed", "transposed"))
    bias = random.random() < 0.8
    if kind in ("linear", "sequence"):
        width, out = random.choice((256, 512, 1024)), random.choice((256, 512, 1024, 1536))
        rows = max(16, min(1024, TYPICAL_MACS // (width * out)))
        shape = [rows, width] if kind == "linear" else [8, max(rows // 8, 8), width]
        problem.shape = shape
        layer = problem.part(f"nn.Linear({width}, {out}, bias={bias})")
        problem.step(f"{layer}(x)", [*shape[:-1], out])
        return shape
    dimensions = random.choice((1, 2, 2, 3))
    kernel = random.choice((1, 3, 3, 4, 5) if kind == "conv" else (2, 3, 3, 4))
    stride = random.choice((1, 1, 2) if kind == "conv" else (1, 2, 2))
    padding = random.randint(0, kernel // 2)
    channels, out = random.choice((3, 8, 16, 32, 64)), random.choice((16, 32, 64))
    batch = random.choice((4, 8, 16))
    macs_per_position = batch * channels * out * kernel**dimensions
    size = round((TYPICAL_MACS / macs_per_position) ** (1 / dimensions))
    size = max(8, min({1: 1024, 2: 64, 3: 24}[dimensions], size))
    shape = [batch, channels, *[size] * dimensions]
    problem.shape = shape
    name = f"Conv{'Transpose' if kind == 'transposed' else ''}{dimensions}d"
    layer = problem.part(f"nn.{name}({channels}, {out}, {kernel}, stride={stride}, padding={padding}, bias={bias})")
    after = (
        (size - 1) * stride - 2 * padding + kernel
        if kind == "transposed"
        else (size + 2 * padding - kernel) // stride + 1
    )
    problem.step(f"{layer}(x)", [batch, out, *[after] * dimensions])
    return shape


def _possible(problem: Problem) -> list[Callable[[Problem], None]]:
    steps = [_activation, _activation, _scalar, _parameter, _clamp, _reduce, _residual]
    if problem.shape[-1] > 1 and len(problem.shape) >= 2:
        steps += [_softmax]
    if len(problem.shape) >= 3 and problem.shape[1] > 1:
        steps += [_norm, _norm]
        if problem.spatial <= 3 and min(problem.shape[2:]) >= 2:
            steps += [_pool, _pool, _global_mean]
    if len(problem.shape) == 2 and problem.shape[1] > 1:
        steps += [_norm]
        if problem.shape[1] >= 256:
            steps += [_second_linear]
    return steps


def _activation(problem: Problem) -> None:
    problem.step(problem.random.choice(ACTIVATIONS))


def _scalar(problem: Problem) -> None:
    value = problem.random.choice((0.5, 2.0, 1.5, -0.7, 3.0))
    problem.step(problem.random.choice((f"x * {value}", f"x + {value}", f"x / {value}", f"x - {value}")))


def _parameter(problem: Problem) -> None:
    shape = [1] * len(problem.shape)
    axis = 1 if problem.spatial > 0 and problem.random.random() < 0.8 else len(shape) - 1
    shape[axis] = problem.shape[axis]
    kept = shape[axis:]
    name = problem.part(f"nn.Parameter(torch.randn({', '.join(map(str, kept))}))")
    problem.step(problem.random.choice((f"x + {name}", f"x * {name}", f"x - {name}")))


def _clamp(problem: Problem) -> None:
    problem.step(
        problem.random.choice(("torch.clamp(x, -1.0, 1.0)", "torch.clamp(x, min=0.0)", "torch.clamp(x, max=0.5)"))
    )


def _residual(problem: Problem) -> None:
    problem.step(problem.random.choice(("x + torch.sigmoid(x)", "x * x", "x - x.mean()", "x + x.clone().detach()")))


def _softmax(problem: Problem) -> None:
    axis = problem.random.choice((1, -1))
    problem.step(problem.random.choice((f"torch.softmax(x, dim={axis})", f"torch.log_softmax(x, dim={axis})")))


def _reduce(problem: Problem) -> None:
    axis = problem.random.randrange(1, len(problem.shape)) if len(problem.shape) > 1 else 0
    keep = len(problem.shape) > 1 and problem.random.random() < 0.8
    kind = problem.random.choice(("sum", "mean", "amax", "amin", "logsumexp", "max", "min"))
    call = f"torch.{kind}(x, dim={axis}, keepdim={keep})" + ("[0]" if kind in ("max", "min") else "")
    shape = list(problem.shape)
    shape[axis] = 1
    problem.step(call, shape if keep else [*shape[:axis], *shape[axis + 1 :]])


def _norm(problem: Problem) -> None:
    channels, spatial = problem.shape[1], min(problem.spatial, 3)
    affine = problem.random.random() < 0.5
    kinds = [f"nn.LayerNorm({problem.shape[-1]})"]
    if channels % 4 == 0:
        kinds.append(f"nn.GroupNorm(4, {channels})")
    if spatial <= 3:
        kinds.append(f"nn.BatchNorm{max(spatial, 1)}d({channels})" + problem.random.choice(("", ".eval()")))
    if spatial >= 1 and math.prod(problem.shape[2:]) > 1:
        kinds.append(f"nn.InstanceNorm{spatial}d({channels}, affine={affine})")
    problem.step(f"{problem.part(problem.random.choice(kinds))}(x)")


def _pool(problem: Problem) -> None:
    spatial = problem.spatial
    kind = problem.random.choice(("Max", "Avg"))
    problem.step(
        f"F.{kind.lower()}_pool{spatial}d(x, 2)", [*problem.shape[:2], *(size // 2 for size in problem.shape[2:])]
    )


def _global_mean(problem: Problem) -> None:
    spatial = problem.spatial
    if problem.random.random() < 0.5:
        problem.step(f"F.adaptive_avg_pool{spatial}d(x, 1)", [*problem.shape[:2], *[1] * spatial])
    else:
        axes = ", ".join(str(axis) for axis in range(2, 2 + spatial))
        problem.step(f"x.mean(dim=({axes},))", problem.shape[:2])


def _second_linear(problem: Problem) -> None:
    out = problem.random.choice((64, 256))
    layer = problem.part(f"nn.Linear({problem.shape[1]}, {out})")
    problem.step(f"{layer}(x)", [problem.shape[0], out])
