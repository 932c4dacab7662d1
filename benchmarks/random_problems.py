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


Step = Callable[["Problem"], None]


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


def draw_problem(seed: int, macs: int = TYPICAL_MACS) -> str:
    """The source of a problem.

    Args:
        macs: Multiplications of its layer, roughly; smaller ones have narrower layers, too.
    """
    random = Random(seed)
    problem = Problem(random, [])
    inputs = _layer(problem, macs)
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


def _layer(problem: Problem, macs: int) -> list[int]:
    """Begin with a layer that has a lot to do; the shape of its input."""
    random = problem.random
    kind = random.choice(("linear", "linear", "sequence", "conv", "conv", "transposed", "transposed"))
    bias = random.random() < 0.8
    if kind in ("linear", "sequence"):
        width, out = random.choice((256, 512, 1024)), random.choice((256, 512, 1024, 1536))
        rows = max(16, min(1024, macs // (width * out)))
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
    size = round((macs / macs_per_position) ** (1 / dimensions))
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


def _possible(problem: Problem) -> list[Step]:
    steps: list[Step] = [_activation, _activation, _scalar, _parameter, _clamp, _reduce, _residual, _pointwise]
    if len(problem.shape) >= 2 and problem.shape[-1] > 1:
        steps += [_softmax, _norm, _norm_by_hand, _scan, _pick, _branches]
    if len(problem.shape) == 2 and problem.shape[1] > 1:
        steps += [_linear, _linear, _product]
    if len(problem.shape) == 3 and problem.shape[2] > 1:
        steps += [_attention, _product, _linear]
    if len(problem.shape) >= 3:
        steps += [_layout]
        if problem.shape[1] > 1 and problem.spatial <= 3 and min(problem.shape[2:]) >= 2:
            steps += [_norm, _pool, _pool, _global_mean, _upsample, _convolution]
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


def _pointwise(problem: Problem) -> None:
    forms = (
        "torch.where(x > 0, x, 0.1 * x)",
        "x.abs()",
        "x.pow(2)",
        "torch.exp(-x.abs())",
        "x * torch.rsqrt(x * x + 1)",
    )
    problem.step(problem.random.choice(forms))


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


def _linear(problem: Problem) -> None:
    out = problem.random.choice((16, 64, 256))
    layer = problem.part(f"nn.Linear({problem.shape[-1]}, {out})")
    problem.step(f"{layer}(x)", [*problem.shape[:-1], out])


def _product(problem: Problem) -> None:
    """With a matrix of its own, or of rows with each other."""
    width = problem.shape[-1]
    if problem.random.random() < 0.5:
        out = problem.random.choice((16, 64))
        matrix = problem.part(f"nn.Parameter(torch.randn({width}, {out}) / {width**0.5:.3g})")
        call = problem.random.choice((f"x @ {matrix}", f"torch.einsum('...i,ij->...j', x, {matrix})"))
        problem.step(call, [*problem.shape[:-1], out])
    elif problem.shape[-2] <= 512:
        problem.step(f"torch.matmul(x, x.transpose(-2, -1)) / {width}", [*problem.shape[:-1], problem.shape[-2]])


def _attention(problem: Problem) -> None:
    width = problem.shape[-1]
    query, key, value = (problem.part(f"nn.Linear({width}, {width})") for _ in range(3))
    problem.steps.append(f"scores = {query}(x) @ {key}(x).transpose(1, 2) / {width**0.5:.4g}")
    problem.step(f"torch.softmax(scores, dim=-1) @ {value}(x)")


def _norm_by_hand(problem: Problem) -> None:
    axis = problem.random.choice((1, -1))
    mean = f"x.mean(dim={axis}, keepdim=True)"
    forms = (
        f"(x - {mean}) / torch.sqrt(x.var(dim={axis}, keepdim=True, unbiased=False) + 1e-5)",
        f"x * torch.rsqrt(x.pow(2).mean(dim={axis}, keepdim=True) + 1e-6)",
        f"F.normalize(x, dim={axis})",
    )
    problem.step(problem.random.choice(forms))


def _scan(problem: Problem) -> None:
    axis = problem.random.randrange(1, len(problem.shape))
    forms = (f"torch.cumsum(x, dim={axis})", f"torch.flip(x, dims=({axis},))", f"torch.sort(x, dim={axis})[0]")
    problem.step(problem.random.choice(forms))


def _pick(problem: Problem) -> None:
    """Part of a dimension."""
    axis = problem.random.randrange(1, len(problem.shape))
    size, before = problem.shape[axis], ":, " * axis
    if size < 4:
        return
    kept, shape = (
        problem.random.choice((("-1:", 1), ("::2", (size + 1) // 2), (f":{size // 2}", size // 2))),
        problem.shape,
    )
    problem.step(f"x[{before}{kept[0]}]", [*shape[:axis], kept[1], *shape[axis + 1 :]])


def _branches(problem: Problem) -> None:
    """Two things made of `x`, and put together."""
    one, other = (problem.random.choice(ACTIVATIONS) for _ in range(2))
    if problem.random.random() < 0.3:
        axis = problem.random.randrange(1, len(problem.shape))
        shape = [size * (1 + (number == axis)) for number, size in enumerate(problem.shape)]
        problem.step(f"torch.cat(({one}, {other}), dim={axis})", shape)
    else:
        problem.step(f"{one} {problem.random.choice('+-*')} {other}")


def _layout(problem: Problem) -> None:
    shape = problem.shape
    if problem.random.random() < 0.5:
        problem.step("torch.flatten(x, 1)", [shape[0], math.prod(shape[1:])])
    else:
        problem.step("x.transpose(1, -1)", [shape[0], shape[-1], *shape[2:-1], shape[1]])


def _upsample(problem: Problem) -> None:
    mode = ("linear", "bilinear", "trilinear")[problem.spatial - 1]
    mode = problem.random.choice((mode, "nearest"))
    if math.prod(problem.shape) <= 1 << 20:
        shape = [*problem.shape[:2], *(2 * size for size in problem.shape[2:])]
        problem.step(f"F.interpolate(x, scale_factor=2, mode='{mode}')", shape)


def _convolution(problem: Problem) -> None:
    channels, spatial = problem.shape[1], problem.spatial
    if channels > 128:
        return
    out, kernel = problem.random.choice((8, 32, channels)), problem.random.choice((1, 3))
    groups = channels if out == channels and problem.random.random() < 0.4 else 1
    layer = problem.part(f"nn.Conv{spatial}d({channels}, {out}, {kernel}, padding={kernel // 2}, groups={groups})")
    problem.step(f"{layer}(x)", [problem.shape[0], out, *problem.shape[2:]])
