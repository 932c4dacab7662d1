"""All rules, in the order in which they are applied."""

from netwright_fusion.rules.convolution_average_pool import ConvolutionAveragePool
from netwright_fusion.rules.convolution_channel_sum import ConvolutionChannelSum
from netwright_fusion.rules.linear_rows import LinearRows
from netwright_fusion.rules.linear_sum import LinearSum
from netwright_fusion.rules.matmul_sum import MatmulSum
from netwright_fusion.rules.mean_before_convolution import MeanBeforeConvolution
from netwright_fusion.rules.pool_before_pointwise import PoolBeforePointwise
from netwright_fusion.rules.rule import Rule
from netwright_fusion.rules.transposed_average_pool import TransposedAveragePool

RULES: tuple[Rule, ...] = (
    LinearSum(),
    LinearRows(),
    MatmulSum(),
    ConvolutionChannelSum(),
    MeanBeforeConvolution(),
    PoolBeforePointwise(),
    TransposedAveragePool(),
    ConvolutionAveragePool(),
)
"""Those that simplify come before those that need simple graphs."""
