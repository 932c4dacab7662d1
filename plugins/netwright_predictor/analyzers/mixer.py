"""Sequence mixers: layers that remember the past in a state of fixed size, behind a short causal convolution."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping

from torch import nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

ZERO = Polynomial()
FLOAT32_BYTES = 4


def chunks(length: int, chunk_size: int) -> int:
    """How many chunks hold `length` positions, the last one padded."""
    return -(-length // chunk_size)


class MixerAnalyzer(Analyzer):
    """What state-space layers and linear attentions share.

    `convolved` positions pass the depthwise convolution, with `conv_channels * conv_kernel` products each. Those are
    more than `length`: transformers pads on both sides and drops the end, so that they are length + conv_kernel - 1;
    one token more meets the remembered ones, as one or two windows. `is_recurrent` is 1 where the state is updated
    token by token, as in decoding, and 0 where all tokens are computed at once.

    Bytes are those of a fused kernel: it reads what the projections made, and reads and writes the state in float32.
    """

    def get_required_parameters(self) -> dict[str, str]:
        shared = ("batch", "length", "convolved", "conv_channels", "conv_kernel", "is_recurrent", "dtype_bytes")
        return dict.fromkeys((*shared, *self.own_parameters()), "int")

    @abstractmethod
    def own_parameters(self) -> tuple[str, ...]:
        """Names of the sizes that the layer has beyond the shared ones."""

    def sizes(self, module: nn.Module) -> Iterator[Mapping[str, int]]:
        """Their values, as far as the instance tells them, best guess first; the rest is populated."""
        del module
        yield {}

    @abstractmethod
    def mix_flops(self, **parameters: int) -> int:
        """FLOPs of everything but the convolution."""

    @abstractmethod
    def state_size(self, **parameters: int) -> int:
        """Numbers in the state of one sequence."""

    @abstractmethod
    def width(self, **parameters: int) -> int:
        """Numbers per token of the output."""

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        hidden = next((dims for dims in site.flow.dims.values() if len(dims) == 3), None)
        if hidden is None:
            return
        batch, length, _ = hidden
        for channels, kernel in _convolutions(site.module):
            for convolved in _convolved(length, kernel):
                for recurrent in (0, 1):
                    for sizes in self.sizes(site.module):
                        numbers = {"conv_channels": channels, "conv_kernel": kernel, "is_recurrent": recurrent, **sizes}
                        constants = {name: Polynomial.constant(value) for name, value in numbers.items()}
                        yield {"batch": batch, "length": length, "convolved": convolved, **constants}

    def compute_flops(self, **parameters: int) -> int:
        """2 * batch * convolved * conv_channels * conv_kernel, and what mixing takes."""
        taps = parameters["conv_channels"] * parameters["conv_kernel"]
        return 2 * parameters["batch"] * parameters["convolved"] * taps + self.mix_flops(**parameters)

    def compute_other_operations(self, **parameters: int) -> int:
        """Per token and number of the state: its decay, and the input's discretization and addition."""
        return 3 * parameters["batch"] * parameters["length"] * self.state_size(**parameters)

    def compute_memory_reads(self, **parameters: int) -> int:
        tokens = parameters["batch"] * parameters["length"]
        inputs = tokens * max(parameters["conv_channels"], self.width(**parameters))
        weights = parameters["conv_channels"] * parameters["conv_kernel"]
        return (inputs + weights) * parameters["dtype_bytes"] + self._state_bytes(**parameters)

    def compute_memory_writes(self, **parameters: int) -> int:
        outputs = parameters["batch"] * parameters["length"] * self.width(**parameters)
        return outputs * parameters["dtype_bytes"] + self._state_bytes(**parameters)

    def compute_intermediates(self, **parameters: int) -> int:
        """What a fused kernel keeps: the convolution's input and output, and the mixed output."""
        numbers = 2 * parameters["conv_channels"] + self.width(**parameters)
        return parameters["batch"] * parameters["length"] * numbers * parameters["dtype_bytes"]

    def _state_bytes(self, **parameters: int) -> int:
        return parameters["batch"] * self.state_size(**parameters) * FLOAT32_BYTES


def _convolutions(module: nn.Module) -> Iterator[tuple[int, int]]:
    """Channels and kernel of the convolution whose weights the module itself uses; (0, 0) where there is none."""
    found = [child for child in module._modules.values() if isinstance(child, nn.Conv1d)]
    for several in ([each] for each in found) if len(found) < 2 else (found, *([each] for each in found)):
        channels = sum(each.out_channels * each.in_channels // each.groups for each in several)
        yield channels, several[0].kernel_size[0]
    yield 0, 0


def _convolved(length: Polynomial, kernel: int) -> Iterator[Polynomial]:
    if not kernel:
        yield ZERO
        return
    yield length + (kernel - 1)
    yield length + 1
    yield length
    yield length + (2 * kernel - 1)


class ShortConvolutionAnalyzer(MixerAnalyzer):
    """A layer that mixes neighbours by its short convolution alone, as LFM2's."""

    def own_parameters(self) -> tuple[str, ...]:
        return ()

    def mix_flops(self, **parameters: int) -> int:
        del parameters
        return 0

    def state_size(self, **parameters: int) -> int:
        """The positions that the next token's window needs."""
        return parameters["conv_channels"] * parameters["conv_kernel"]

    def width(self, **parameters: int) -> int:
        return parameters["conv_channels"]
