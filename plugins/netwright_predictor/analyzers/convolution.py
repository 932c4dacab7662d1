"""Convolutions of one, two and three dimensions, forward and transposed."""

from collections.abc import Iterator, Sequence
from math import prod

from torch import nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

ONE = Polynomial.constant(1)


def output_size(size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Positions that a convolution or a pooling window takes along one axis: ⌊(size + 2p - d(k - 1) - 1) / s⌋ + 1.

    Source: the documentation of `torch.nn.Conv1d`, "Shape".
    """
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def transposed_size(
    size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1, output_padding: int = 0
) -> int:
    """Positions that a transposed convolution makes along one axis: (size - 1)s - 2p + d(k - 1) + o + 1.

    Source: the documentation of `torch.nn.ConvTranspose1d`, "Shape".
    """
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1


class ConvolutionAnalyzer(Analyzer):
    """`torch.nn.Conv1d`, `Conv2d`, `Conv3d` and their transposed forms, and their subclasses.

    Each position of the output sees `kernel` positions of the in_channels / groups channels of its group; in a
    transposed convolution it is each position of the input that reaches as many of the output (Dumoulin and Visin,
    arXiv:1603.07285, chapters 2 and 4). Padding is multiplied like everything else. Stride, padding and dilation matter
    through the number of positions alone.
    """

    def get_required_parameters(self) -> dict[str, str]:
        sizes = ("batch", "positions_in", "positions_out", "in_channels", "out_channels", "groups", "kernel")
        return dict.fromkeys((*sizes, "is_transposed", "has_bias", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        module = site.module
        if not isinstance(module, nn.modules.conv._ConvNd):
            return
        axes = len(module.kernel_size)
        constants = {
            "in_channels": module.in_channels,
            "out_channels": module.out_channels,
            "groups": module.groups,
            "kernel": prod(module.kernel_size),
            "is_transposed": int(module.transposed),
            "has_bias": int(module.bias is not None),
        }
        known = {name: Polynomial.constant(value) for name, value in constants.items()}
        for given in site.flow.dims.values():
            for made in (*site.flow.outputs, *_computed(module, given[-axes:])):
                if len(given) in (axes + 1, axes + 2) and len(made) >= axes:
                    yield {
                        "batch": given[0] if len(given) == axes + 2 else ONE,
                        "positions_in": prod(given[-axes:], start=ONE),
                        "positions_out": prod(made[-axes:], start=ONE),
                        **known,
                    }

    def compute_flops(self, **parameters: int) -> int:
        """2 * batch * positions * in_channels * out_channels * kernel / groups."""
        positions = parameters["positions_in"] if parameters["is_transposed"] else parameters["positions_out"]
        return 2 * parameters["batch"] * positions * self._weights(**parameters)

    def compute_other_operations(self, **parameters: int) -> int:
        """The bias: one addition per output."""
        return parameters["has_bias"] * self._outputs(**parameters)

    def compute_memory_reads(self, **parameters: int) -> int:
        bias = parameters["has_bias"] * parameters["out_channels"]
        return (self._inputs(**parameters) + self._weights(**parameters) + bias) * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return self._outputs(**parameters) * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Its input, for the gradient of its weight."""
        return self._inputs(**parameters) * parameters["dtype_bytes"]

    def compute_kept_inputs(self, **parameters: int) -> int:
        return self.compute_intermediates(**parameters)

    def _weights(self, **parameters: int) -> int:
        return parameters["in_channels"] * parameters["out_channels"] * parameters["kernel"] // parameters["groups"]

    def _inputs(self, **parameters: int) -> int:
        return parameters["batch"] * parameters["positions_in"] * parameters["in_channels"]

    def _outputs(self, **parameters: int) -> int:
        return parameters["batch"] * parameters["positions_out"] * parameters["out_channels"]


class VariableConvolutionAnalyzer(Analyzer):
    """A convolution of one dimension whose kernels come with the call, other ones for each piece of the input.

    Location-variable convolution (UnivNet, Jang et al., arXiv:2106.07889, section 2.1): every position meets a kernel.
    """

    def get_required_parameters(self) -> dict[str, str]:
        sizes = ("batch", "positions", "in_channels", "out_channels", "kernel", "pieces")
        return dict.fromkeys((*sizes, "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        signal, kernel = site.flow.dims.get("hidden_states", ()), site.flow.dims.get("kernel", ())
        if len(signal) == 3 and len(kernel) == 5:
            sizes = {"in_channels": kernel[1], "out_channels": kernel[2], "kernel": kernel[3], "pieces": kernel[4]}
            yield {"batch": signal[0], "positions": signal[2], **sizes}

    def compute_flops(self, **parameters: int) -> int:
        """2 * batch * positions * in_channels * out_channels * kernel."""
        channels = parameters["in_channels"] * parameters["out_channels"]
        return 2 * parameters["batch"] * parameters["positions"] * channels * parameters["kernel"]

    def compute_memory_reads(self, **parameters: int) -> int:
        """The input, and a kernel for each piece of it."""
        kernels = parameters["pieces"] * parameters["out_channels"] * parameters["kernel"]
        per_sequence = parameters["in_channels"] * (parameters["positions"] + kernels)
        return parameters["batch"] * per_sequence * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        outputs = parameters["positions"] * parameters["out_channels"]
        return parameters["batch"] * outputs * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Input and kernels."""
        return self.compute_memory_reads(**parameters)

    def compute_kept_inputs(self, **parameters: int) -> int:
        return self.compute_memory_reads(**parameters)


def _computed(module: nn.modules.conv._ConvNd, given: Sequence[Polynomial]) -> Iterator[tuple[Polynomial, ...]]:
    """The output's size where the input has a fixed one."""
    sizes = [each.as_constant() for each in given]
    if len(sizes) != len(module.kernel_size) or isinstance(module.padding, str) or module.transposed:
        return
    made = []
    for axis, size in enumerate(sizes):
        if size is None:
            return
        made.append(
            output_size(
                size,
                module.kernel_size[axis],
                stride=module.stride[axis],
                padding=int(module.padding[axis]),
                dilation=module.dilation[axis],
            )
        )
    yield tuple(Polynomial.constant(each) for each in made)
