"""Every way of writing an operator, held against a trace of the text: it must call the same operator again."""

# ruff: noqa: ARG005 - all functions are called alike

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from netwright.cases import Inputs
from netwright_fusion.capture import Captured, capture
from netwright_fusion.graph import arguments, written

Function = Callable[[Tensor, Tensor], object]


def _both_positive(x: Tensor, y: Tensor) -> Tensor:
    mask = x > 0
    mask &= y > 0
    return mask


POINTWISE: tuple[Function, ...] = (
    lambda x, y: (x + y, x - y, x * y, x / y, -x, x**2, 2**x, 1 - x, 3 / x, x % 2, x // 2),
    lambda x, y: (torch.add(x, y, alpha=2), torch.sub(x, y, alpha=-1.5), torch.rsub(x, y), x.reciprocal()),
    lambda x, y: (x > 0, x >= y, x < -1, x <= y, x == y, x != 0, (x > 0) & (y > 0), (x > 0) | (y > 0), ~(x > 0)),
    lambda x, y: (x.exp(), x.abs(), x.rsqrt(), torch.sin(x), x.square(), x.sign(), torch.erf(x), x.clamp(-1, 1)),
    lambda x, y: (torch.clamp(x, min=0.5), x.clamp_max(2.0), torch.where(x > 0, x, 0.0), torch.maximum(x, y)),
    lambda x, y: (F.relu(x), F.gelu(x), F.gelu(x, approximate="tanh"), F.silu(x), F.elu(x, 0.5), F.selu(x), F.mish(x)),
    lambda x, y: (
        F.leaky_relu(x, 0.2),
        F.hardtanh(x, -2, 2),
        F.relu6(x),
        F.hardswish(x),
        F.hardsigmoid(x),
        F.celu(x, 2),
    ),
    lambda x, y: (F.softplus(x), F.softplus(x, 2, 10), F.logsigmoid(x), F.softsign(x), F.tanhshrink(x), torch.tanh(x)),
    lambda x, y: (torch.div(x, y, rounding_mode="floor"), torch.lerp(x, y, 0.3), torch.addcmul(x, x, y, value=2)),
    lambda x, y: (x.int() << 1, x.int() >> 2, x.int() ^ 3, _both_positive(x, y)),
    lambda x, y: (x.masked_fill(y > 0, float("-inf")), x.to(torch.float64), x.half(), x.nan_to_num(), x.type_as(y)),
)
REDUCTIONS: tuple[Function, ...] = (
    lambda x, y: (
        x.sum(),
        x.sum(1),
        x.sum((-1, -2), keepdim=True),
        x.mean(),
        x.mean(dim=[2, 3]),
        x.sum(0, dtype=torch.float64),
    ),
    lambda x, y: (x.amax(1), x.amin((2, 3), True), x.max(dim=1), x.min(-1, keepdim=True)[0], x.max(), x.argmax(1)),
    lambda x, y: (
        x.var(1),
        x.std((1, 2), unbiased=False),
        x.norm(dim=1),
        x.norm(),
        x.prod(1),
        torch.logsumexp(x, 1, True),
    ),
    lambda x, y: (x.softmax(1), F.log_softmax(x, -1), x.cumsum(1), x.cumprod(-1), (x > 0).any(1), (x > 0).all()),
    lambda x, y: (x.flatten(1).sort(-1), x.flatten(1).topk(3), x.flatten(1).kthvalue(2), torch.median(x), x.argsort(1)),
)
SHAPES: tuple[Function, ...] = (
    lambda x, y: (x.reshape(x.shape[0], -1), x.view(-1, 5), x.flatten(1, 2), x.permute(0, 2, 3, 1), x.transpose(1, -1)),
    lambda x, y: (
        x.unsqueeze(1).squeeze(1),
        x[:, :1].expand(-1, 4, -1, -1),
        x.repeat(1, 2, 1, 1),
        x.t() if x.dim() == 2 else x + 0,
    ),
    lambda x, y: (
        x[:, 1:3],
        x[..., ::2],
        x[:, -1],
        x[..., 0],
        x[:, :, 1:, :-1],
        x[:, [0, 2]],
        x.narrow(1, 0, 2),
        x[None] * 1,
    ),
    lambda x, y: (
        torch.cat([x, y], 1),
        torch.stack([x, y], -1),
        torch.split(x, 2, 1),
        torch.split(x, [1, 3], dim=1),
        x.chunk(2, -1),
    ),
    lambda x, y: (x.unbind(1), x.roll(1, 2), x.flip((1,)), torch.tril(x), x.triu(1), x.diagonal(dim1=2, dim2=3) * 2),
    lambda x, y: (
        F.pad(x, (1, 2)),
        F.pad(x, (1, 1, 1, 1), mode="reflect"),
        F.pad(x, (0, 1), value=3.0),
        x.contiguous() * 1,
    ),
    lambda x, y: (x.gather(1, x.argsort(1)), F.one_hot(x.argmax(1), 4), torch.zeros_like(x), torch.full_like(x, 2.0)),
    lambda x, y: (
        x.unfold(2, 2, 1),
        F.unfold(x, 2),
        x.movedim(1, -1) * 1,
        torch.unflatten(x, 1, (2, 2)),
        x.repeat_interleave(2, 1),
    ),
    lambda x, y: (
        torch.ones(3),
        torch.arange(5),
        torch.eye(4),
        torch.linspace(0, 1, 4),
        x.new_zeros(3),
        torch.full((2,), 7),
    ),
)
LAYERS: tuple[Function, ...] = (
    lambda x, y: (
        x @ y.transpose(2, 3),
        torch.matmul(x, y.mT),
        torch.einsum("bchw,bdhw->bcd", x, y),
        torch.outer(x[0, 0, 0], y[0, 0, 0]),
    ),
    lambda x, y: (
        torch.bmm(x[:, 0], y[:, 0].mT),
        x[0, 0] @ y[0, 0].T,
        x[0, 0].mv(y[0, 0, 0]),
        torch.dot(x[0, 0, 0], y[0, 0, 0]),
    ),
    lambda x, y: (
        F.max_pool2d(x, 2),
        F.max_pool2d(x, 3, 1, 1),
        F.avg_pool2d(x, 2, padding=1),
        F.avg_pool2d(x, (1, 2), (2, 1), count_include_pad=False),
    ),
    lambda x, y: (
        F.adaptive_avg_pool2d(x, 1),
        F.adaptive_avg_pool2d(x, (2, None)),
        F.adaptive_max_pool2d(x, 2),
        F.lp_pool2d(x, 2, 2),
    ),
    lambda x, y: (
        F.interpolate(x, scale_factor=2),
        F.interpolate(x, size=(8, 8), mode="bilinear"),
        F.pixel_shuffle(x, 2),
    ),
    lambda x, y: (
        F.layer_norm(x, (5, 5)),
        F.group_norm(x, 2),
        F.instance_norm(x),
        F.normalize(x, dim=1),
        F.rms_norm(x, (5,)),
    ),
    lambda x, y: (
        F.scaled_dot_product_attention(x, y, y),
        F.scaled_dot_product_attention(x, y, y, is_causal=True, scale=0.3),
    ),
    lambda x, y: (
        F.cross_entropy(x, y.argmax(1)),
        F.cross_entropy(x, y.argmax(1), reduction="sum", label_smoothing=0.1),
    ),
    lambda x, y: (
        F.mse_loss(x, y),
        F.l1_loss(x, y, reduction="none"),
        F.smooth_l1_loss(x, y),
        F.huber_loss(x, y, delta=0.7),
    ),
    lambda x, y: (
        F.kl_div(x.log_softmax(1), y.softmax(1), reduction="batchmean"),
        F.cosine_similarity(x, y),
        F.pairwise_distance(x, y),
    ),
    lambda x, y: (
        F.binary_cross_entropy_with_logits(x, y.sigmoid()),
        F.triplet_margin_loss(x, y, x + y),
        F.nll_loss(x, y.argmax(1)),
    ),
    lambda x, y: (
        F.dropout(x, 0.3, True),
        F.dropout(x, 0.3, False),
        F.dropout2d(x, 0.2, True),
        torch.rand_like(x),
        torch.randn(2, 3),
    ),
)


class Several(nn.Module):
    """Functions of two tensors, and layers with parameters."""

    def __init__(self, functions: tuple[Function, ...], *, layers: bool = False) -> None:
        super().__init__()
        self.functions = functions
        if layers:
            self.convolutions = nn.ModuleList(
                [
                    nn.Conv2d(4, 4, 3, padding=1, bias=False),
                    nn.Conv2d(4, 4, (1, 3), (2, 1), (0, 1), groups=2),
                    nn.Conv2d(4, 6, 2, padding="same", dilation=2),
                    nn.ConvTranspose2d(4, 3, 3, 2, 1, 1, groups=1),
                    nn.BatchNorm2d(4),
                    nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
                    nn.PReLU(4),
                    nn.LayerNorm(5),
                    nn.Linear(5, 3, bias=False),
                    nn.Embedding(9, 5, padding_idx=0),
                    nn.LSTM(5, 3, batch_first=True),
                    nn.Bilinear(5, 5, 2),
                ]
            )

    def forward(self, x: Tensor, y: Tensor) -> list[object]:
        found = [function(x, y) for function in self.functions]
        if hasattr(self, "convolutions"):
            *first, embedding, lstm, bilinear = self.convolutions
            found += [layer(x) for layer in first]
            found += [embedding(x.argmax(1)), lstm(x[:, 0]), bilinear(x[:, 0], y[:, 0])]
        return found


def _calls(captured: Captured) -> list[tuple[str, dict[str, Any]]]:
    """The operators that are called, with what is constant in their arguments."""

    def constant(value: Any) -> Any:
        if isinstance(value, fx.Node):
            return "value"
        return [constant(item) for item in value] if isinstance(value, (list, tuple)) else str(value)

    found = []
    for node in captured.graph.graph.nodes:
        if node.op == "call_function" and hasattr(node.target, "_schema") and (node.users or written(node)):
            given = {name: constant(value) for name, value in arguments(node).items() if name not in ("pin_memory",)}
            found.append((str(node.target), given))
    return found


@pytest.mark.parametrize(
    ("functions", "layers", "training"),
    [
        (POINTWISE, False, False),
        (REDUCTIONS, False, False),
        (SHAPES, False, False),
        (LAYERS, True, False),
        (LAYERS, True, True),
    ],
)
def test_the_text_of_an_operator_calls_it_again(
    workshop: Any, functions: tuple[Function, ...], layers: bool, training: bool
) -> None:
    module = Several(functions, layers=layers).train(training)
    inputs = Inputs((torch.rand(3, 4, 5, 5) + 0.5, torch.rand(3, 4, 5, 5) + 0.5))
    new, _ = workshop.generate(module, inputs)
    workshop.assert_same(new, module, inputs)
    expected, found = _calls(capture(module, inputs)), _calls(capture(new, inputs))
    prepared = [each for each in expected if each not in found]
    assert [name for name, given in prepared if "value" in given.values()] == []
    assert len(found) >= len(expected) - len(prepared)
