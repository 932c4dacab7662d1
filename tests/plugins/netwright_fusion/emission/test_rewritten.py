"""Generated files of modules that rules rewrote: each operator that a rule brings in reads back as itself."""

from typing import Any

import pytest
import torch

from netwright.cases import Inputs
from netwright_fusion.capture import Captured, capture
from netwright_fusion.rules.apply import apply_rules
from netwright_fusion.rules.catalogue import RULES

MODELS = {
    "upsampling": (
        ["convolution of upsampling", "pointwise convolution before upsampling"],
        [(2, 3, 6, 6)],
        """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Upsample(scale_factor=2)
        self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 2, 1)

    def forward(self, x):
        x = F.relu(self.norm(self.conv(self.up(x))))
        return self.head(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
""",
    ),
    "copies": (
        ["layer of copies"],
        [(2, 3, 9)],
        """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv1d(3, 64, 1), nn.Conv1d(128, 16, 1)

    def forward(self, x):
        local = F.relu(self.first(x))
        whole = torch.max(local, 2, keepdim=True)[0].repeat(1, 1, x.size(2))
        return self.second(torch.cat([local, whole], dim=1))
""",
    ),
    "picks": (
        ["picked before computed"],
        [(2, 9, 16)],
        """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.encoder(x)[:, 0])
""",
    ),
    "last step": (
        ["last step both ways"],
        [(3, 7, 5)],
        """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.read, self.head = nn.LSTM(5, 6, 2, bidirectional=True, batch_first=True), nn.Linear(12, 3)

    def forward(self, x):
        out, _ = self.read(x)
        return self.head(out[:, -1, :])
""",
    ),
    "sums of products": (
        ["sum of products"],
        [(2, 7, 6)],
        """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(6, 1)

    def forward(self, x):
        weights = torch.softmax(torch.tanh(self.score(x)), dim=1)
        return (weights * x).sum(dim=1)
""",
    ),
    "norm": (
        ["normalisation by hand", "scale or shift into normalisation", "activation by hand"],
        [(2, 7, 6)],
        """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.rand(6)), nn.Parameter(torch.rand(6))
        self.norm = nn.GroupNorm(7, 7)

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        variance = ((x - mean) ** 2).mean(-1, keepdim=True)
        x = self.scale * (x - mean) / torch.sqrt(variance + 1e-5) + self.shift
        x = self.norm(x * torch.sigmoid(x)) * 0.5 + 1
        return x * F.relu6(x + 3) / 6
""",
    ),
    "attention": (
        ["causal attention by hand", "attention by hand", "GELU by hand"],
        [(2, 7, 8)],
        """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.inputs = nn.Linear(8, 24)
        self.register_buffer("mask", torch.tril(torch.ones(9, 9)))

    def forward(self, x):
        q, k, v = self.inputs(x).chunk(3, dim=-1)
        scores = torch.bmm(q, k.transpose(1, 2)) / 8**0.5
        scores = scores.masked_fill(self.mask[: x.size(1), : x.size(1)] == 0, float("-inf"))
        y = torch.bmm(F.softmax(scores, dim=-1), v)
        y = y * 0.5 * (1 + torch.erf(y / 2.0**0.5))
        return torch.softmax(y @ x.transpose(1, 2), dim=-1) @ x
""",
    ),
    "distances": (
        ["distances of pairs"],
        [(4, 6)],
        """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(5, 6))

    def forward(self, x):
        return torch.exp(-((x.unsqueeze(1) - self.centres) ** 2).sum(-1))
""",
    ),
    "sums of layers": (
        ["zeros into padding", "sum of layers", "residual into weights"],
        [(2, 4, 6, 6)],
        """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide, self.narrow, self.last = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3)

    def forward(self, x):
        x = F.relu(self.wide(x) + self.narrow(x))
        return F.relu(self.last(F.pad(x, (1, 1, 1, 1))) + x)
""",
    ),
    "convolution by tiles": (
        ["convolution by tiles (Winograd)"],
        [(2, 64, 24, 23)],
        """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(64, 80, 3, padding=1), nn.ConvTranspose2d(80, 64, 3)

    def forward(self, x):
        return self.second(F.relu(self.first(x)))
""",
    ),
    "views": (
        ["linear of merged rows"],
        [(2, 6, 4)],
        """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 5)

    def forward(self, x):
        batch, steps, width = x.shape
        return self.layer(x.contiguous().view(-1, width)).view(batch, steps, -1).mean(1)
""",
    ),
}


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("training", [False, True])
def test_rewritten_modules(workshop: Any, name: str, training: bool) -> None:
    rules, sizes, source = MODELS[name]
    module, text = workshop.original(source, training=training)
    inputs = Inputs(args=tuple(torch.randn(each) for each in sizes), kwargs={})
    applied = set()

    def rewrite(captured: Captured) -> None:
        found = apply_rules(
            captured.graph, [rule for rule in RULES if rule.name != "channels-last layout"], training=training
        )
        applied.update(each.rule.name for each in found)

    new, _ = workshop.generate(module, inputs, text, rewrite=rewrite)
    assert applied >= set(rules)
    workshop.assert_same(new, module, inputs, exact=False)
    infinite = inputs.args[0].clone()
    infinite.view(-1)[infinite.numel() // 2] = float("inf")
    if training:
        return
    found, expected = new(infinite), module(infinite)
    assert torch.equal(found.isfinite(), expected.isfinite())


@pytest.mark.parametrize("name", sorted(MODELS))
def test_gradients_of_rules_for_any_weights(workshop: Any, name: str) -> None:
    rules, sizes, source = MODELS[name]
    module, _ = workshop.original(source, training=True)
    inputs = Inputs(args=tuple(torch.randn(each).double() for each in sizes), kwargs={})
    captured, original = (capture(module.double(), inputs).copy() for _ in range(2))
    usable = [rule for rule in RULES if rule.conditions == "any weights"]
    applied = {each.rule.name for each in apply_rules(captured.graph, usable, training=True)}
    assert applied >= {rule.name for rule in usable if rule.name in rules}
    gradients = []
    for each in (captured, original):
        weights = dict(each.graph.named_parameters())
        torch.cos(each.call(inputs)).sum().backward()
        gradients.append({key: weight.grad for key, weight in weights.items() if weight.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for key, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][key], rtol=1e-8, atol=1e-8, msg=key)
