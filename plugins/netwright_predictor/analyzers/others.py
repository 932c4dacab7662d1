"""Analyzers beyond text: state spaces, recurrences, convolutions, vision and speech."""

import re

from torch import nn

from netwright_predictor.analyzers.codebook import CodebookAnalyzer, codebook_of
from netwright_predictor.analyzers.convolution import ConvolutionAnalyzer, VariableConvolutionAnalyzer
from netwright_predictor.analyzers.entry import Entry
from netwright_predictor.analyzers.global_attention import GlobalLocalAttentionAnalyzer
from netwright_predictor.analyzers.grid_attention import GridAttentionAnalyzer
from netwright_predictor.analyzers.linear_attention import (
    DeltaRuleAnalyzer,
    LightningAttentionAnalyzer,
    MatrixMemoryAnalyzer,
)
from netwright_predictor.analyzers.local_attention import LocalAttentionAnalyzer, SlidingChunksAnalyzer
from netwright_predictor.analyzers.mixer import ShortConvolutionAnalyzer
from netwright_predictor.analyzers.multihead import MultiheadAnalyzer
from netwright_predictor.analyzers.pooling import PoolingAnalyzer
from netwright_predictor.analyzers.product import ProductAnalyzer
from netwright_predictor.analyzers.recurrent import LinearRecurrenceAnalyzer, RecurrentAnalyzer
from netwright_predictor.analyzers.relative_attention import (
    FunnelAttentionAnalyzer,
    ProjectingRelativeAttentionAnalyzer,
    RelativeAttentionAnalyzer,
)
from netwright_predictor.analyzers.similarity import SimilarityAnalyzer
from netwright_predictor.analyzers.state_space import Mamba2Analyzer, MambaAnalyzer

POOLING = re.compile(r"pool|upsample|interpolat|pad\d?d?$", re.IGNORECASE)
MAMBA = re.compile(r"mamba|mixer|ssm", re.IGNORECASE)
ATTENTION = re.compile(r"attention|attn", re.IGNORECASE)
CONVOLUTION = re.compile(r"conv", re.IGNORECASE)
DELTA = re.compile(r"delta|linearattention", re.IGNORECASE)


def _named(pattern: re.Pattern[str], module: nn.Module) -> bool:
    return pattern.search(type(module).__name__) is not None


OTHERS: tuple[Entry, ...] = (
    Entry(ConvolutionAnalyzer(), lambda module: isinstance(module, nn.modules.conv._ConvNd)),
    Entry(VariableConvolutionAnalyzer(), lambda module: "lvc" in type(module).__name__.lower()),
    Entry(RecurrentAnalyzer(), lambda module: isinstance(module, nn.RNNBase | nn.RNNCellBase)),
    Entry(LinearRecurrenceAnalyzer(), lambda module: "lru" in type(module).__name__.lower()),
    Entry(CodebookAnalyzer(), lambda module: codebook_of(module) is not None),
    Entry(SimilarityAnalyzer(), lambda module: "logit_scale" in module._parameters),
    Entry(PoolingAnalyzer(), lambda module: not module._modules and _named(POOLING, module)),
    Entry(SlidingChunksAnalyzer(), lambda module: hasattr(module, "one_sided_attn_window_size")),
    Entry(LocalAttentionAnalyzer(), lambda module: _named(ATTENTION, module)),
    Entry(RelativeAttentionAnalyzer(), lambda module: _named(ATTENTION, module)),
    Entry(ProjectingRelativeAttentionAnalyzer(), lambda module: {"q", "r", "o"} <= module._parameters.keys()),
    Entry(FunnelAttentionAnalyzer(), lambda module: {"r_kernel", "seg_embed"} <= module._parameters.keys()),
    Entry(GlobalLocalAttentionAnalyzer(), lambda module: hasattr(module, "block_size") and _named(ATTENTION, module)),
    Entry(GridAttentionAnalyzer(), lambda module: _named(ATTENTION, module)),
    Entry(MultiheadAnalyzer(), lambda module: _named(ATTENTION, module)),
    Entry(ProductAnalyzer(), lambda module: not module._modules and not module._parameters),
    Entry(Mamba2Analyzer(), lambda module: hasattr(module, "A_log") and _named(MAMBA, module)),
    Entry(MambaAnalyzer(), lambda module: hasattr(module, "A_log") and _named(MAMBA, module)),
    Entry(DeltaRuleAnalyzer(), lambda module: _named(DELTA, module)),
    Entry(ShortConvolutionAnalyzer(), lambda module: _named(CONVOLUTION, module) and bool(module._modules)),
    Entry(LightningAttentionAnalyzer(), lambda module: "slope_rate" in module._buffers),
    Entry(MatrixMemoryAnalyzer(), lambda module: "lstm" in type(module).__name__.lower()),
)
