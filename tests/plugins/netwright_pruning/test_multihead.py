"""Multi-head attention: what can lose heads computes what PyTorch's own does, and loses them."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from netwright.cases import Inputs
from netwright_pruning import Budget, load_method, prune_to_budget
from netwright_pruning.multihead import PrunedMultiheadAttention, close_up, open_up

TRIANGLE = torch.ones(5, 5).triu(1).bool()
PADDING = torch.tensor([[False] * 4 + [True], [False] * 5, [False] * 3 + [True] * 2])


def attention(**options: Any) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    module = nn.MultiheadAttention(32, 4, **options)
    for bias in (module.out_proj.bias, module.in_proj_bias):
        if bias is not None:
            nn.init.normal_(bias)
    return module.eval()


@pytest.mark.parametrize("options", [{"batch_first": True}, {}, {"bias": False}])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"need_weights": False},
        {"average_attn_weights": False},
        {"attn_mask": TRIANGLE, "is_causal": True, "need_weights": False},
        {"attn_mask": torch.randn(12, 5, 5, generator=torch.Generator().manual_seed(1))},
        {"key_padding_mask": PADDING, "attn_mask": TRIANGLE},
    ],
)
def test_it_computes_what_the_original_does(options: dict[str, Any], arguments: dict[str, Any]) -> None:
    module = attention(**options)
    x = torch.randn(3, 5, 32) if options.get("batch_first") else torch.randn(5, 3, 32)
    expected, weights = module(x, x, x, **arguments)
    open_up(module)
    found, found_weights = module(x, x, x, **arguments)
    torch.testing.assert_close(found, expected)
    assert (weights is None) == (found_weights is None)
    if weights is not None:
        torch.testing.assert_close(found_weights, weights)


def test_keys_and_values_of_other_widths_and_single_samples() -> None:
    module = attention(kdim=16, vdim=24)
    query, key, value = torch.randn(5, 32), torch.randn(7, 16), torch.randn(7, 24)
    expected, weights = module(query, key, value)
    open_up(module)
    found, found_weights = module(query, key, value)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found_weights, weights)


def test_what_lost_nothing_is_itself_again() -> None:
    module = attention()
    original = copy.deepcopy(module)
    open_up(module)
    assert type(module) is PrunedMultiheadAttention
    close_up(module)
    assert type(module) is nn.MultiheadAttention
    assert vars(module).keys() == vars(original).keys()


def test_a_transformer_layer_loses_heads() -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(32, 4, 48, batch_first=True)
            self.head = nn.Linear(32, 5)

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.head(self.layer(x).mean(1))
            return outputs

    torch.manual_seed(0)
    model, inputs = Encoder().eval(), Inputs((torch.rand(2, 6, 32),))
    pruning = prune_to_budget(model, inputs, Budget("macs", 0.5), load_method("magnitude_l2"), seed=0, round_to=1)
    assert pruning.budget.error == pytest.approx(0, abs=0.02)
    assert pruning.equality.verdict == "equal"
    assert "layer.self_attn" in pruning.widths
    lost = pruning.model.get_submodule("layer.self_attn")
    assert isinstance(lost, nn.MultiheadAttention)
    assert lost.num_heads < 4
    assert lost.head_dim == 8
    pruning.model(*inputs.args).sum().backward()
