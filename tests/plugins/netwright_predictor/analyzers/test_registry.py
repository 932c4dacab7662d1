"""Which analyzer a module gets, by class or by role."""

import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from netwright_predictor.analyzers.activation import ActivationAnalyzer, DropoutAnalyzer
from netwright_predictor.analyzers.analyzer import Analyzer
from netwright_predictor.analyzers.attention import AttentionAnalyzer
from netwright_predictor.analyzers.embedding import EmbeddingAnalyzer
from netwright_predictor.analyzers.experts import ExpertsAnalyzer, RouterAnalyzer
from netwright_predictor.analyzers.linear import LinearAnalyzer
from netwright_predictor.analyzers.mlp import MlpAnalyzer
from netwright_predictor.analyzers.normalization import NormalizationAnalyzer
from netwright_predictor.analyzers.registry import analyzers_for


class SomeRMSNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8))


class TopKRouter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 8))


class SomeExperts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.ones(4, 16, 8))
        self.down_proj = nn.Parameter(torch.ones(4, 8, 8))


class SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)


class FeedForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up_proj, self.down_proj = nn.Linear(8, 32), nn.Linear(32, 8)


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (nn.Linear(2, 3), LinearAnalyzer),
        (Conv1D(3, 2), LinearAnalyzer),  # type: ignore[no-untyped-call]
        (nn.Embedding(5, 2), EmbeddingAnalyzer),
        (nn.LayerNorm(4), NormalizationAnalyzer),
        (SomeRMSNorm(), NormalizationAnalyzer),
        (nn.SiLU(), ActivationAnalyzer),
        (nn.Dropout(0.1), DropoutAnalyzer),
        (nn.Identity(), DropoutAnalyzer),
        (TopKRouter(), RouterAnalyzer),
        (SomeExperts(), ExpertsAnalyzer),
        (SelfAttention(), AttentionAnalyzer),
        (FeedForward(), MlpAnalyzer),
    ],
)
def test_the_first_guess(module: nn.Module, kind: type[Analyzer]) -> None:
    assert isinstance(analyzers_for(module)[0], kind)


def test_a_module_of_which_nothing_is_known_has_none() -> None:
    unknown = nn.Module()
    unknown.shift = nn.Parameter(torch.ones(3))
    assert analyzers_for(unknown) == []


def test_every_analyzer_declares_the_integers_that_it_needs() -> None:
    for analyzer in analyzers_for(nn.Sequential(nn.Linear(2, 2))):
        assert set(analyzer.get_required_parameters().values()) == {"int"}
