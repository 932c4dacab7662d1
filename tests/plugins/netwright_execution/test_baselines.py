"""Tests of the execution baselines."""

import pytest
import torch
from torch import nn

from netwright.errors import NetwrightError
from netwright_execution import baselines


def test_eager_is_the_module_itself() -> None:
    module = nn.Linear(2, 2)
    assert baselines.eager(module) is module


@pytest.mark.slow
@pytest.mark.parametrize("baseline", [baselines.torch_compile, baselines.torch_compile_max_autotune])
def test_a_compiled_module_computes_the_same(baseline: object) -> None:
    assert callable(baseline)
    module = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval()
    x = torch.randn(4, 8)
    with torch.no_grad():
        assert torch.allclose(baseline(module, fullgraph=True)(x), module(x), atol=1e-6)


@pytest.mark.slow
def test_dropout_can_be_compared_in_train_mode() -> None:
    module = nn.Dropout(0.5).train()
    x = torch.ones(1000)
    torch.manual_seed(0)
    expected = module(x)
    torch.manual_seed(0)
    with torch.no_grad():
        assert torch.equal(baselines.torch_compile(module)(x), expected)  # type: ignore[arg-type]


def test_a_missing_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NetwrightError, match=r"needs a C\+\+ compiler.*no-such-compiler.*install"):
        baselines.torch_compile(nn.Linear(2, 2))
