"""The registry: which analyzer a module gets, by its class or by the role that its structure gives away."""

import re

from torch import nn

from netwright_predictor.analyzers.activation import ActivationAnalyzer, DropoutAnalyzer
from netwright_predictor.analyzers.analyzer import Analyzer
from netwright_predictor.analyzers.attention import AttentionAnalyzer, DifferentialAttentionAnalyzer
from netwright_predictor.analyzers.composite import CompositeAnalyzer
from netwright_predictor.analyzers.compressed import CompressedAttentionAnalyzer, CompressedScoresAnalyzer
from netwright_predictor.analyzers.embedding import EmbeddingAnalyzer
from netwright_predictor.analyzers.entry import Entry
from netwright_predictor.analyzers.experts import ExpertsAnalyzer, RouterAnalyzer, stacked
from netwright_predictor.analyzers.indexer import IndexerAnalyzer
from netwright_predictor.analyzers.linear import GroupedLinearAnalyzer, LinearAnalyzer, matrices
from netwright_predictor.analyzers.mlp import MlpAnalyzer, intermediate_width
from netwright_predictor.analyzers.normalization import NormalizationAnalyzer
from netwright_predictor.analyzers.others import OTHERS
from netwright_predictor.analyzers.position import RotaryAnalyzer, is_rotary
from netwright_predictor.analyzers.streams import StreamsAnalyzer

ROUTER = re.compile(r"router|gate|gating", re.IGNORECASE)
ATTENTION = re.compile(r"attention|attn", re.IGNORECASE)
INDEXER = re.compile(r"indexer", re.IGNORECASE)
NORMALIZATION = re.compile(r"norm", re.IGNORECASE)
ACTIVATION = re.compile(r"activation|gelu|relu|silu|sigmoid|tanh|swish|mish|softplus|softmax", re.IGNORECASE)


def _is_leaf(module: nn.Module) -> bool:
    return not module._modules


def _named(pattern: re.Pattern[str], module: nn.Module) -> bool:
    return pattern.search(type(module).__name__) is not None


ENTRIES: tuple[Entry, ...] = (
    Entry(EmbeddingAnalyzer(), lambda module: "Embedding" in type(module).__name__ and len(matrices(module)) == 1),
    Entry(NormalizationAnalyzer(), lambda module: _is_leaf(module) and _named(NORMALIZATION, module)),
    Entry(DropoutAnalyzer(), lambda module: isinstance(module, nn.Identity | nn.Dropout)),
    Entry(RotaryAnalyzer(), is_rotary),
    Entry(RouterAnalyzer(), lambda module: _named(ROUTER, module) and len(matrices(module)) == 1),
    Entry(LinearAnalyzer(), lambda module: len(matrices(module)) == 1),
    Entry(GroupedLinearAnalyzer(), lambda module: "weight" in module._parameters),
    Entry(ExpertsAnalyzer(), lambda module: bool(stacked(module))),
    Entry(CompressedAttentionAnalyzer(), lambda module: getattr(module, "compressor", None) is not None),
    Entry(CompressedScoresAnalyzer(), lambda module: _named(INDEXER, module)),
    Entry(AttentionAnalyzer(), lambda module: _named(ATTENTION, module) and not _is_leaf(module)),
    Entry(DifferentialAttentionAnalyzer(), lambda module: "Diff" in type(module).__name__),
    Entry(IndexerAnalyzer(), lambda module: _named(INDEXER, module)),
    Entry(MlpAnalyzer(), lambda module: intermediate_width(module) is not None),
    Entry(ActivationAnalyzer(), lambda module: _is_leaf(module) and _named(ACTIVATION, module)),
    *OTHERS,
    Entry(StreamsAnalyzer(), lambda module: not _is_leaf(module)),
    Entry(CompositeAnalyzer(), lambda module: not _is_leaf(module)),
)


def analyzers_for(module: nn.Module) -> list[Analyzer]:
    """The hand-written analyzers that a module may be computed by, most specific first; empty where there is none."""
    return [entry.analyzer for entry in ENTRIES if entry.fits(module)]
