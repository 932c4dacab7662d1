"""All rules, in the order in which they are applied."""

from netwright_fusion.rules.activation_by_hand import ActivationByHand, GeluByHand
from netwright_fusion.rules.affine_after_reduction import (
    AffineAfterAveragePool,
    AffineAfterReduction,
    EvalBatchNormAfterAverage,
)
from netwright_fusion.rules.affine_before_weights import AffineBeforeWeights
from netwright_fusion.rules.affine_into_norm import AffineIntoNorm
from netwright_fusion.rules.affine_into_weights import AffineIntoWeights
from netwright_fusion.rules.affine_through_clamp import AffineThroughClamp
from netwright_fusion.rules.attention_by_hand import AttentionByHand, CausalAttentionByHand
from netwright_fusion.rules.batch_norm_into_weights import BatchNormIntoWeights
from netwright_fusion.rules.broadcast_matmul import BroadcastMatmul
from netwright_fusion.rules.channels_last import ChannelsLast
from netwright_fusion.rules.common_after_reduction import CommonAfterReduction
from netwright_fusion.rules.common_subexpression import CommonSubexpression
from netwright_fusion.rules.constant_as_number import ConstantAsNumber
from netwright_fusion.rules.convolution_average_pool import ConvolutionAveragePool
from netwright_fusion.rules.convolution_channel_sum import ConvolutionChannelSum
from netwright_fusion.rules.cosine_similarity import PairwiseCosine
from netwright_fusion.rules.diagonal_matmul import DiagonalMatmul
from netwright_fusion.rules.distances import PairwiseDistances
from netwright_fusion.rules.dot_products import DotProducts
from netwright_fusion.rules.einsum_as_product import EinsumAsProduct, EinsumOfFixed
from netwright_fusion.rules.flattened_reduction import FlattenedReduction
from netwright_fusion.rules.group_norm_mean import GroupNormMean
from netwright_fusion.rules.grouped_outputs_sum import GroupedOutputsSum
from netwright_fusion.rules.identity import Detached, DoubleTranspose, Identity, SingletonReduction
from netwright_fusion.rules.indices_as_slice import IndicesAsSlice
from netwright_fusion.rules.last_step import LastStepBothWays
from netwright_fusion.rules.layer_of_copies import LayerOfCopies
from netwright_fusion.rules.layer_of_layer import LinearOfLinear, PointwiseOfConvolution
from netwright_fusion.rules.layer_of_steps import LayerOfSteps, StackOfLayers
from netwright_fusion.rules.linear_average_pool import LinearAveragePool
from netwright_fusion.rules.linear_rows import LinearRows
from netwright_fusion.rules.linear_sum import LinearSum
from netwright_fusion.rules.matmul_as_linear import MatmulAsLinear
from netwright_fusion.rules.matmul_chain import MatmulChain
from netwright_fusion.rules.matmul_sum import MatmulSum
from netwright_fusion.rules.mean_before_convolution import MeanBeforeConvolution
from netwright_fusion.rules.monotone_after_max_pool import MonotoneAfterMaxPool
from netwright_fusion.rules.norm_by_hand import NormByHand
from netwright_fusion.rules.norm_centred import NormCentred
from netwright_fusion.rules.norm_scale import NormScale
from netwright_fusion.rules.norm_shift import NormBias, NormShift
from netwright_fusion.rules.own_mean_into_weights import OwnMeanIntoWeights
from netwright_fusion.rules.padding_into_window import PaddingIntoWindow
from netwright_fusion.rules.parallel_layers import ParallelLayers
from netwright_fusion.rules.permuted_reduction import PermutedReduction
from netwright_fusion.rules.pick_earlier import PickEarlier
from netwright_fusion.rules.pool_before_pointwise import PoolBeforePointwise
from netwright_fusion.rules.pool_of_pool import MeanOfAverages, PoolOfPool
from netwright_fusion.rules.product_before_layer import ProductBesideOthers, ProductPlusOthers
from netwright_fusion.rules.product_diagonal import ProductDiagonal
from netwright_fusion.rules.rectifier_by_hand import RectifierByHand, ReluByHand
from netwright_fusion.rules.reduction_of_parts import ReductionOfParts
from netwright_fusion.rules.redundant_clamp import ClampOfClamp, LeakyOfLeaky, RedundantClamp
from netwright_fusion.rules.reordered_reduction import ReorderedReduction
from netwright_fusion.rules.rule import Rule
from netwright_fusion.rules.same_reduction import SameReduction
from netwright_fusion.rules.select_before_layer import SelectChannels, SelectRowsBeforeLinear
from netwright_fusion.rules.separable_pool import SeparablePool
from netwright_fusion.rules.softmax_shift import SoftmaxShift
from netwright_fusion.rules.sorted_ends import SortedEnds
from netwright_fusion.rules.sum_of_layers import ResidualIntoWeights, SumOfLayers
from netwright_fusion.rules.sum_of_multiples import SumOfMultiples
from netwright_fusion.rules.sum_of_products import SumOfProducts
from netwright_fusion.rules.sum_of_sum import SumOfSum
from netwright_fusion.rules.transposed_average_pool import TransposedAveragePool
from netwright_fusion.rules.triangular_matmul import TriangularMatmul
from netwright_fusion.rules.upsampled_convolution import ConvolutionOfUpsampling, PointwiseBeforeUpsampling
from netwright_fusion.rules.values_only import ValuesOnly
from netwright_fusion.rules.views import LinearOfMergedRows, ViewOfView
from netwright_fusion.rules.whole_pool import AdaptivePool, WholePool
from netwright_fusion.rules.winograd import Winograd

RULES: tuple[Rule, ...] = (
    Identity(),
    Detached(),
    DoubleTranspose(),
    ConstantAsNumber(),
    IndicesAsSlice(),
    CommonSubexpression(),
    PaddingIntoWindow(),
    AdaptivePool(),
    WholePool(),
    ValuesOnly(),
    SortedEnds(),
    SingletonReduction(),
    RectifierByHand(),
    ReluByHand(),
    RedundantClamp(),
    ClampOfClamp(),
    LeakyOfLeaky(),
    PermutedReduction(),
    ReorderedReduction(),
    FlattenedReduction(),
    ViewOfView(),
    LinearOfMergedRows(),
    EinsumAsProduct(),
    EinsumOfFixed(),
    ProductDiagonal(),
    MatmulChain(),
    ProductBesideOthers(),
    ProductPlusOthers(),
    MatmulAsLinear(),
    MonotoneAfterMaxPool(),
    PoolOfPool(),
    MeanOfAverages(),
    NormByHand(),
    ActivationByHand(),
    GeluByHand(),
    SumOfMultiples(),
    NormShift(),
    NormCentred(),
    SoftmaxShift(),
    NormScale(),
    BatchNormIntoWeights(),
    AffineIntoWeights(),
    AffineIntoNorm(),
    AffineThroughClamp(),
    AffineBeforeWeights(),
    NormBias(),
    AffineAfterReduction(),
    CommonAfterReduction(),
    SameReduction(),
    ReductionOfParts(),
    AffineAfterAveragePool(),
    EvalBatchNormAfterAverage(),
    PickEarlier(),
    LastStepBothWays(),
    SelectRowsBeforeLinear(),
    SelectChannels(),
    LayerOfCopies(),
    SumOfLayers(),
    ResidualIntoWeights(),
    OwnMeanIntoWeights(),
    SumOfSum(),
    LinearSum(),
    GroupedOutputsSum(),
    LinearAveragePool(),
    LinearRows(),
    MatmulSum(),
    ConvolutionChannelSum(),
    MeanBeforeConvolution(),
    PoolBeforePointwise(),
    TransposedAveragePool(),
    ConvolutionAveragePool(),
    PointwiseBeforeUpsampling(),
    ConvolutionOfUpsampling(),
    LinearOfLinear(),
    PointwiseOfConvolution(),
    PairwiseDistances(),
    PairwiseCosine(),
    DiagonalMatmul(),
    TriangularMatmul(),
    SumOfProducts(),
    DotProducts(),
    BroadcastMatmul(),
    CausalAttentionByHand(),
    AttentionByHand(),
    GroupNormMean(),
    SeparablePool(),
    LayerOfSteps(),
    StackOfLayers(),
    ParallelLayers(),
    ChannelsLast(),
    Winograd(),
)
"""What simplifies comes first, so that the rest finds more; those that must be measured come last."""
