"""Convolutions: closed forms against integers by hand, and against torch's counter for any settings."""

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netwright_predictor.analyzers.analyzer import Site
from netwright_predictor.analyzers.convolution import (
    ConvolutionAnalyzer,
    VariableConvolutionAnalyzer,
    output_size,
    transposed_size,
)
from netwright_predictor.polynomial import Polynomial
from netwright_predictor.tracing.flow import Flow

CONVOLUTIONS = {
    (1, False): nn.Conv1d,
    (2, False): nn.Conv2d,
    (3, False): nn.Conv3d,
    (1, True): nn.ConvTranspose1d,
    (2, True): nn.ConvTranspose2d,
    (3, True): nn.ConvTranspose3d,
}


def flops(module: nn.Module, shape: tuple[int, ...], output: tuple[int, ...]) -> int:
    """By the analyzer's first guess, as the analysis would bind it."""
    flow = Flow({"input": _dims(shape)}, (_dims(output),), ())
    dimensions = next(iter(ConvolutionAnalyzer().dimensions(Site("", module, flow, {}))))
    return ConvolutionAnalyzer().compute_flops(**{name: each({}) for name, each in dimensions.items()})


def _dims(shape: tuple[int, ...]) -> tuple[Polynomial, ...]:
    return tuple(Polynomial.constant(size) for size in shape)


def test_a_vit_patch_embedding_by_hand() -> None:
    """224 / 16 = 14, so 196 patches, each of 16 * 16 * 3 = 768 numbers, meet 768 filters: 2 * 196 * 768 * 768."""
    patches = nn.Conv2d(3, 768, kernel_size=16, stride=16, device="meta")
    assert flops(patches, (1, 3, 224, 224), (1, 768, 14, 14)) == 2 * 196 * 768 * 768 == 231_211_008


def test_whispers_two_convolutions_by_hand() -> None:
    """80 mel bins to 384 over 3000 frames, 3 taps: 2 * 3000 * 80 * 384 * 3; then stride 2: 1500 * 384 * 384 * 3 * 2."""
    first = nn.Conv1d(80, 384, kernel_size=3, padding=1, device="meta")
    second = nn.Conv1d(384, 384, kernel_size=3, stride=2, padding=1, device="meta")
    assert flops(first, (1, 80, 3000), (1, 384, 3000)) == 552_960_000
    assert flops(second, (1, 384, 3000), (1, 384, 1500)) == 1_327_104_000


def test_a_depthwise_convolution_meets_one_channel_each() -> None:
    """96 channels of 7 * 7 taps at 56 * 56 positions: 2 * 3136 * 96 * 49."""
    module = nn.Conv2d(96, 96, kernel_size=7, padding=3, groups=96, device="meta")
    assert flops(module, (2, 96, 56, 56), (2, 96, 56, 56)) == 2 * 2 * 3136 * 96 * 49


def test_wav2vec2s_stack_of_convolutions_by_hand() -> None:
    """One second: (16000 - 10) // 5 + 1 = 3199, then halved with 3 taps four times and with 2 taps twice: 49 frames."""
    size, sizes = 16_000, []
    for kernel, stride in ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)):
        size = output_size(size, kernel, stride=stride)
        sizes.append(size)
    assert sizes == [3199, 1599, 799, 399, 199, 99, 49]


def test_a_transposed_convolution_undoes_the_size() -> None:
    assert output_size(transposed_size(7, 4, stride=2, padding=1), 4, stride=2, padding=1) == 7


@settings(max_examples=40, deadline=None)
@given(
    axes=st.integers(1, 3),
    transposed=st.booleans(),
    groups=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    size=st.integers(6, 9),
    batch=st.integers(1, 3),
)
def test_any_convolution_is_what_torch_counts(
    axes: int,
    transposed: bool,
    groups: int,
    channels: tuple[int, int],
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    size: int,
    batch: int,
) -> None:
    kind: Any = CONVOLUTIONS[axes, transposed]
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if transposed and transposed_size(size, kernel, stride=stride, padding=padding, dilation=dilation) < 1:
        return
    module = kind(channels[0] * groups, channels[1] * groups, kernel, **options, device="meta")
    given_input = torch.empty(batch, channels[0] * groups, *[size] * axes, device="meta")
    with FlopCounterMode(display=False) as counter:
        output = module(given_input)
    assert flops(module, tuple(given_input.shape), tuple(output.shape)) == counter.get_total_flops()
    assert transposed or output.shape[-1] == output_size(
        size, kernel, stride=stride, padding=padding, dilation=dilation
    )


def test_kernels_that_come_with_the_call_meet_every_position() -> None:
    """UnivNet's first block: 2 signals of 128,000 positions, 32 to 64 channels, kernels of 3 for 16,000 pieces."""
    sizes = {"batch": 2, "positions": 128_000, "in_channels": 32, "out_channels": 64, "kernel": 3, "pieces": 16_000}
    analyzer = VariableConvolutionAnalyzer()
    assert analyzer.compute_flops(**sizes, dtype_bytes=4) == 2 * 2 * 128_000 * 32 * 64 * 3
    assert analyzer.compute_memory_reads(**sizes, dtype_bytes=4) == 4 * 2 * 32 * (128_000 + 16_000 * 64 * 3)
