"""Modules whose forward the templates should take over; run by `interpreted.py`, on sizes that fill no block."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netwright_fusion.kernels.convolution import Convolution
from netwright_fusion.kernels.losses import CrossEntropy, LinearCrossEntropy
from netwright_fusion.kernels.matmul import Matmul
from netwright_fusion.kernels.pointwise import Pointwise
from netwright_fusion.kernels.rows import Rows
from netwright_fusion.kernels.template import KernelTemplate
from netwright_fusion.kernels.transposed import TransposedConvolution
from netwright_fusion.kernels.windows import Windows

Make = Callable[[int], tuple[Any, ...]]
"""Inputs for a batch size."""


class Function(nn.Module):
    """A function as a module, with parameters if it needs some."""

    def __init__(self, function: Callable[..., Any], **parameters: tuple[int, ...]) -> None:
        super().__init__()
        self.function = function
        self.weights = nn.ParameterDict({name: nn.Parameter(torch.randn(size)) for name, size in parameters.items()})

    def forward(self, *inputs: Tensor) -> Any:
        """The function of inputs and parameters."""
        return self.function(*inputs, **self.weights)


def normal(*shape: int) -> Make:
    """One normal tensor; the batch comes first."""
    return lambda batch: (torch.randn(batch, *shape),)


def several(*shapes: tuple[int, ...]) -> Make:
    """Several normal tensors."""
    return lambda batch: tuple(torch.randn(batch, *shape) for shape in shapes)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs, "ceil": torch.ceil, "celu": lambda x: F.celu(x, 1.3), "clamp": lambda x: x.clamp(-0.5, 0.7),
    "clamp_max": lambda x: x.clamp(max=0.3), "clamp_min": lambda x: x.clamp(min=0.1), "cos": torch.cos,
    "elu": lambda x: F.elu(x, 0.7), "erf": torch.erf, "exp": torch.exp, "exp2": torch.exp2, "expm1": torch.expm1,
    "floor": torch.floor, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish, "hardtanh": lambda x: F.hardtanh(x, -0.3, 0.8),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2), "log": lambda x: torch.log(x.abs() + 0.5),
    "log1p": lambda x: torch.log1p(x.abs()), "logsigmoid": F.logsigmoid, "mish": F.mish, "neg": torch.neg,
    "pow2": lambda x: x**2, "pow3": lambda x: x**3, "pow_half": lambda x: x.abs() ** 0.5,
    "reciprocal": lambda x: 1 / (x.abs() + 0.5), "relu": torch.relu, "relu6": F.relu6,
    "rsqrt": lambda x: torch.rsqrt(x.abs() + 0.5),
    "selu": F.selu, "sigmoid": torch.sigmoid, "silu": F.silu, "sin": torch.sin, "softplus": F.softplus,
    "softplus_beta": lambda x: F.softplus(x, 2.0, 1.0), "softsign": F.softsign,
    "sqrt": lambda x: torch.sqrt(x.abs()), "square": torch.square,
    "sub": lambda x: 2 - x, "tanh": torch.tanh, "tanhshrink": F.tanhshrink,
    "threshold": lambda x: F.threshold(x, 0.1, 2.0),
}  # fmt: skip


def every_activation(x: Tensor) -> tuple[Tensor, ...]:
    """Each after a product, so that there is something to fuse."""
    return tuple(each(x * 1.5) for each in ACTIVATIONS.values())


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotary position embedding as most models write it."""
    left, right = x.chunk(2, dim=-1)
    return x * cosines + torch.cat((-right, left), dim=-1) * sines


def gated(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """SwiGLU of two halves, GEGLU of two tensors, and both in another order of dimensions."""
    gate, up = x.chunk(2, dim=-1)
    return F.silu(gate) * up, F.gelu(y) * x, (torch.sigmoid(x) * y).transpose(1, 2).contiguous() * 2


def broadcast(x: Tensor, y: Tensor, z: Tensor, channel: Tensor, one: Tensor) -> tuple[Tensor, ...]:
    """Operands of fewer and of smaller dimensions, and values that are used again outside."""
    scaled = x * channel + one
    gate = torch.sigmoid(z).unsqueeze(-1).unsqueeze(-1)
    return (
        scaled,
        F.relu(scaled * gate) + y,
        torch.where(x > y, scaled, -1.0).clamp(-2, 2.5),
        torch.maximum(x, y) / 3,
        F.prelu(x, channel.flatten()) * 2,
    )


def types(x: Tensor, mask: Tensor, index: Tensor, half: Tensor) -> tuple[Tensor, ...]:
    """Masks, integers and half precision next to float32."""
    kept = x.masked_fill(mask, -3.0) * 2
    return (
        kept,
        (x + index) * (index > 2),
        (half * 1.5 + 0.25).float() * x,
        (F.gelu(half) + half).half(),
        ~mask & (x > 0),
    )


def norms(x: Tensor, y: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """Normalisations along the last dimensions, and a residual that goes on."""
    total = x + y
    normed = F.layer_norm(total, (33,), weight, bias)
    root = F.rms_norm(F.gelu(normed), (33,), weight, 1e-6)
    by_hand = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weight
    unit = F.normalize(y, dim=-1)
    return total, root * y, by_hand, unit, (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-3)


def images(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """Normalisations of channels and of places."""
    grouped = torch.relu(F.group_norm(x, 3, weight, bias))
    alone = F.leaky_relu(F.instance_norm(x * 2, weight=weight, bias=bias))
    whole = F.group_norm(x, 1) + x
    return grouped, alone, whole, F.softmax(x * 3, dim=1) + 1, F.adaptive_avg_pool2d(F.hardswish(x), 1)


def summaries(x: Tensor) -> tuple[Any, ...]:
    """Everything that leaves one value per row."""
    values, indices = (x * 2).max(dim=1)
    lowest = x.min(dim=-1, keepdim=True)
    return (
        values, indices, lowest.values, lowest.indices, x.argmax(dim=2), (-x).argmin(dim=1, keepdim=True),
        x.sum((1, 3)), x.mean(1), x.amax(2), x.amin((2, 3)), x.exp().logsumexp(1), x.var((1, 2)),
        x.std(-1, unbiased=False), x.prod(-1), x.norm(dim=1),
        x.abs().norm(p=1, dim=2), torch.log_softmax(x, -1), x.softmax(2).sum(1),
    )  # fmt: skip


def scans(x: Tensor) -> tuple[Tensor, ...]:
    """Cumulative sums and products, first and last dimension, and what follows from them."""
    return (x * 2).cumsum(-1) + 1, x.cumprod(1), x.softmax(-1).cumsum(-1) / 2


class Products(nn.Module):
    """Linear layers and products with epilogues, row reductions among them."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(33, 70), nn.Linear(70, 33, bias=False)
        self.norm = nn.LayerNorm(70)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        """A feed-forward block, an attention by hand, a gated sum."""
        hidden = F.gelu(self.up(x))
        normed = self.norm(hidden * 0.5 + 1)
        scores = torch.softmax(x @ y.transpose(1, 2) * 0.2, dim=-1)
        return (
            self.down(normed) + x,
            torch.relu(scores @ y),
            (x @ self.up.weight.t()).sigmoid().sum(-1),
            self.up(y).tanh(),
        )


class Convolutions(nn.Module):
    """Convolutions of few channels in one to three dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Conv1d(3, 5, 3, padding=1)
        self.plane = nn.Conv2d(4, 7, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2))
        self.space = nn.Conv3d(2, 3, 3, bias=False)
        self.point = nn.Conv2d(4, 6, 1)
        self.bias = nn.Parameter(torch.randn(7, 1, 1))

    def forward(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        """Each with an epilogue; the third with a reduction over channels."""
        return (
            torch.relu(self.line(x)),
            F.mish(self.plane(y)) + self.bias,
            self.space(z).softmax(1),
            self.point(y).sigmoid(),
        )


class TransposedConvolutions(nn.Module):
    """Strided transposed convolutions, of which phases differ in their taps and places."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.ConvTranspose1d(3, 5, 4, stride=2, padding=1)
        self.plane = nn.ConvTranspose2d(4, 5, 3, stride=2, padding=1, output_padding=1)
        self.space = nn.ConvTranspose3d(2, 3, (3, 2, 5), stride=(2, 1, 3))
        self.gaps = nn.ConvTranspose2d(4, 5, 2, stride=3, bias=False)

    def forward(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        """With and without an epilogue."""
        return self.line(x) * 2, torch.tanh(self.plane(y)), self.space(z).sigmoid().mean(1), self.gaps(y)


class Narrow(nn.Module):
    """Products of one column, one row or one step."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(2, 1, 3)
        self.up = nn.ConvTranspose2d(2, 1, 2, stride=2)
        self.vector = nn.Linear(33, 1)
        self.thin = nn.Linear(1, 5)

    def forward(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        """Each with an epilogue."""
        row, column = x[:, :1], x.transpose(-1, -2)[:, :1]
        return (
            torch.relu(self.one(y)), torch.tanh(self.up(y)), torch.sigmoid(self.vector(z)),
            F.silu(self.thin(z[:, :1])), torch.relu(row @ column), torch.relu(column @ row) + 1,
        )  # fmt: skip


class Pools(nn.Module):
    """Pooling and depthwise convolutions with something before and after."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Conv1d(3, 6, 3, padding=1, groups=3)
        self.plane = nn.Conv2d(4, 4, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=4, bias=False)
        self.bias = nn.Parameter(torch.randn(4, 1, 1))

    def forward(self, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        """Windows that overlap, that reach beyond the edge, that do not count it."""
        return (
            torch.relu(self.line(x)), F.mish(self.plane(y)) + self.bias,
            F.max_pool2d(torch.relu(y + self.bias), 3, 2, 1, ceil_mode=True) * 2, F.avg_pool2d(torch.tanh(y), 2),
            F.avg_pool1d(torch.sigmoid(x), 3, 2, 1, count_include_pad=False), F.max_pool3d(z, 2).abs(),
            F.avg_pool3d(z, 2, 1, 1) + 1, F.max_pool1d(F.gelu(x), 3, dilation=2),
        )  # fmt: skip


class Losses(nn.Module):
    """Cross-entropies of logits, by pixel, smoothed, and of a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(17, 33)

    def forward(self, x: Tensor, target: Tensor, image: Tensor, labels: Tensor, hidden: Tensor) -> tuple[Tensor, ...]:
        """All reductions, and an index that is ignored."""
        logits = self.head(hidden)
        return (
            F.cross_entropy(x * 2, target), F.cross_entropy(image, labels, reduction="none", ignore_index=1),
            F.cross_entropy(x, target, label_smoothing=0.1, reduction="sum"),
            F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=2),
        )  # fmt: skip


def loss_inputs(batch: int) -> tuple[Any, ...]:
    """Logits, targets, an image with labels, hidden states."""
    return (
        torch.randn(batch, 37),
        torch.randint(0, 37, (batch,)),
        torch.randn(batch, 4, 7),
        torch.randint(0, 4, (batch, 7)),
        torch.randn(batch, 7, 17),
    )


def rope_inputs(batch: int) -> tuple[Any, ...]:
    """Heads, and a table of angles."""
    angles = torch.randn(7, 6)
    return torch.randn(batch, 3, 7, 6), angles.cos(), angles.sin()


def typed_inputs(batch: int) -> tuple[Any, ...]:
    """Floats, truth values, integers and halves."""
    shape = (batch, 3, 33)
    return torch.randn(shape), torch.rand(shape) > 0.5, torch.randint(0, 5, shape), torch.randn(shape).half()


def special(batch: int) -> tuple[Any, ...]:
    """NaN and infinity in some rows and not in others."""
    x = torch.randn(batch, 5, 33)
    x[0, 1, 3], x[0, 2, 5], x[0, 3, 7], x[1, 0, 0], x[1, 0, 1] = torch.nan, torch.inf, -torch.inf, torch.inf, torch.nan
    return (x,)


def through_special_values(x: Tensor) -> tuple[Tensor, ...]:
    """What must hand NaN and infinity on."""
    pooled = F.max_pool1d(torch.relu(x), 3, 2) * 2
    return (
        torch.relu(x) + 1, x.clamp(-1, 1) * 2, torch.maximum(x, -x) + 1, x.amax(-1), x.argmax(-1),
        x.max(1).values, x.softmax(-1), x.logsumexp(-1), F.hardtanh(x) + 1, F.leaky_relu(x) * 2, pooled,
        F.softplus(x) + 1, torch.tanh(x) * 2, F.elu(x) + 1,
    )  # fmt: skip


def channels_last(batch: int) -> tuple[Any, ...]:
    """Images laid out with their channels fastest."""
    return tuple(torch.randn(batch, 6, 5, 7).to(memory_format=torch.channels_last) for _ in range(2))


def laid_out(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """Pointwise and reducing work on such images."""
    return F.silu(x) * y, x.permute(0, 2, 3, 1) * 2 + 1, (x + y).softmax(1), (x * y).mean((2, 3))


EVERYWHERE: tuple[KernelTemplate, ...] = (
    LinearCrossEntropy(everywhere=True), CrossEntropy(), Matmul(everywhere=True), Convolution(everywhere=True),
    TransposedConvolution(everywhere=True), Windows(), Rows(), Pointwise(),
)  # fmt: skip

CASES: dict[str, tuple[Callable[[], nn.Module], Make, int]] = {
    "pointwise activations": (lambda: Function(every_activation), normal(3, 43), 40),
    "pointwise broadcast": (
        lambda: Function(broadcast, channel=(5, 1, 1), one=(1,)), several((5, 3, 7), (5, 3, 7), (5,)), 4,
    ),
    "pointwise rope": (lambda: Function(rotate), rope_inputs, 1),
    "pointwise gated": (lambda: Function(gated), several((7, 10), (7, 10)), 3),
    "pointwise types": (lambda: Function(types), typed_inputs, 4),
    "rows norms": (lambda: Function(norms, weight=(33,), bias=(33,)), several((5, 33), (5, 33)), 4),
    "rows images": (lambda: Function(images, weight=(6,), bias=(6,)), normal(6, 5, 7), 5),
    "rows summaries": (lambda: Function(summaries), normal(6, 5, 7), 16),
    "rows scans": (lambda: Function(scans), normal(5, 129), 3),
    "rows special values": (lambda: Function(through_special_values), special, 12),
    "layouts": (lambda: Function(laid_out), channels_last, 4),
    "products": (Products, several((7, 33), (7, 33)), 5),
    "convolutions": (Convolutions, several((3, 17), (4, 9, 11), (2, 5, 6, 7)), 4),
    "transposed convolutions": (TransposedConvolutions, several((3, 17), (4, 9, 11), (2, 5, 6, 7)), 4),
    "windows": (Pools, several((3, 17), (4, 9, 11), (2, 5, 6, 7)), 8),
    "narrow": (Narrow, several((4, 1, 3), (2, 5, 6), (33,)), 6),
    "losses": (Losses, loss_inputs, 4),
}  # fmt: skip
"""By name: the module, its inputs, and how many kernels it should become at least."""
