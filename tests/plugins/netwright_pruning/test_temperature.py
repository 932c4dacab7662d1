"""Temperature: attention that loses dimensions of its heads computes what it did with these dimensions zeroed."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netwright.cases import CaseOptions, Inputs
from netwright_pruning import Budget, Pruning, load_method, load_pruned, prune_to_budget, save_pruned
from netwright_pruning.allocation import Allocation
from netwright_pruning.groups import trace
from netwright_pruning.surgery import Surgeon


class Attention(nn.Module):
    """As timm's: fused without a scale, by hand with one."""

    def __init__(self, *, fused: bool = True, norm: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.num_heads, self.head_dim, self.scale, self.fused = 4, 8, 8**-0.5, fused
        self.qkv = nn.Linear(32, 96, bias=bias)
        self.q_norm = nn.LayerNorm(8) if norm else nn.Identity()
        self.k_norm = nn.LayerNorm(8) if norm else nn.Identity()
        self.proj = nn.Linear(32, 32)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        q, k = self.q_norm(q), self.k_norm(k)
        if self.fused:
            mixed = F.scaled_dot_product_attention(q, k, v)
        else:
            mixed = (q * self.scale @ k.transpose(-2, -1)).softmax(-1) @ v
        outputs: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, length, self.num_heads * self.head_dim))
        return outputs


class Model(nn.Module):
    def __init__(self, **options: bool) -> None:
        super().__init__()
        self.embed = nn.Linear(12, 32)
        self.attention = Attention(**options)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        outputs: Tensor = self.head((x + self.attention(x)).mean(1))
        return outputs


def prune_heads(model: nn.Module) -> Pruning:
    """Half of the dimensions of all heads, more or less, and nothing else."""
    method, only = load_method("magnitude_l2"), Allocation(shares={"embed": 0})
    return prune_to_budget(
        model, SEQUENCES, Budget("macs", 0.6), method, seed=0, round_to=1, tolerance=0.1, heads="dims", allocation=only
    )


SEQUENCES = Inputs((torch.rand(2, 6, 12, generator=torch.Generator().manual_seed(0)),))


@pytest.mark.parametrize(
    "options", [{}, {"bias": False}, {"norm": True}, {"fused": False}, {"fused": False, "norm": True}]
)
def test_what_remains_computes_the_same(options: dict[str, bool]) -> None:
    torch.manual_seed(0)
    model = Model(**options).eval()
    pruning = prune_heads(model)
    assert pruning.equality.verdict == "equal"
    lost = pruning.model.get_submodule("attention")
    assert lost.num_heads == 4
    assert lost.head_dim < 8
    assert pruning.widths["attention.qkv"] == (96, 12 * lost.head_dim)
    assert not pruning.faults


def test_the_scale_of_both_ways_stays_the_same() -> None:
    torch.manual_seed(0)
    lost = prune_heads(Model().eval()).model
    fused = lost(*SEQUENCES.args)
    by_hand = copy.deepcopy(lost)
    by_hand.get_submodule("attention").fused = False  # type: ignore[assignment]
    torch.testing.assert_close(by_hand(*SEQUENCES.args), fused)


def test_cutting_twice_folds_the_scale_once_each() -> None:
    torch.manual_seed(0)
    model = Model().double().eval()
    inputs = Inputs((SEQUENCES.args[0].double(),))
    graph = trace(copy.deepcopy(model), inputs, heads="dims")
    name = "attention.qkv"
    units = [graph.groups[name].channels_of(unit) for unit in range(8)]
    at_once, in_steps = (Surgeon(copy.deepcopy(model), inputs, graph) for _ in range(2))
    at_once.remove_quietly({name: [*units[1], *units[6]]})
    in_steps.remove_quietly({name: [*units[1]]})
    in_steps.remove_quietly({name: [*units[1], *units[6]]})
    torch.testing.assert_close(in_steps.model(*inputs.args), at_once.model(*inputs.args))


@pytest.mark.slow
def test_a_vision_transformer_reloads_to_the_same_bits(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    from netwright.cases.load import load_case
    from netwright.cases.module import draw_inputs, prepare_module

    options = CaseOptions(constants={"batch_size": 1, "image_size": 64})
    case = load_case("timm:vit_tiny_patch16_224", options)
    model, inputs = prepare_module(case, seed=0).eval(), draw_inputs(case, seed=0)
    pruning = prune_to_budget(model, inputs, Budget("macs", 0.5), load_method("magnitude_l2"), seed=0, heads="dims")
    assert pruning.equality.verdict == "equal"
    assert any("attn" in name for name in pruning.widths)
    save_pruned(pruning.model, tmp_path, case=case.name, options=options)
    with torch.no_grad():
        assert torch.equal(load_pruned(tmp_path)(*inputs.args), pruning.model(*inputs.args))
