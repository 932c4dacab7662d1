"""The kernel templates, in the order in which they look at a graph: the most special first."""

from netwright_fusion.kernels.convolution import Convolution
from netwright_fusion.kernels.losses import CrossEntropy, LinearCrossEntropy
from netwright_fusion.kernels.matmul import Matmul
from netwright_fusion.kernels.pointwise import Pointwise
from netwright_fusion.kernels.rows import Rows
from netwright_fusion.kernels.template import KernelTemplate
from netwright_fusion.kernels.transposed import TransposedConvolution
from netwright_fusion.kernels.windows import Windows

TEMPLATES: tuple[KernelTemplate, ...] = (
    LinearCrossEntropy(),
    CrossEntropy(),
    Matmul(),
    Convolution(),
    TransposedConvolution(),
    Windows(),
    Rows(),
    Pointwise(),
)
"""A site that none of them has is left to PyTorch."""
