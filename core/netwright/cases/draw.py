"""Drawing inputs: declared tensors from a seed, and the other distributions made out of any drawn tensors."""

import torch
from torch import Generator, Tensor

from netwright.cases.case import Distribution, Inputs, map_tensors
from netwright.cases.manifest import InputsSpec, TensorSpec
from netwright.files import content_key

SCALES = {"large": 100.0, "small": 1e-3}
KEPT_WHEN_SPARSE = 0.1


def draw_declared(spec: InputsSpec, seed: int, distribution: Distribution) -> Inputs:
    """The tensors that `spec` declares, on the CPU, always the same for the same arguments.

    Floating-point values follow the declared distribution under "normal"; the others are made from that draw as
    `redistribute` says. A declared range always holds.
    """
    generator = Generator().manual_seed(seed)
    own = _generator(seed, distribution)

    def draw(tensor: TensorSpec) -> Tensor:
        value = _draw(tensor, generator)
        if not value.is_floating_point():
            return value
        value = _redistribute(value, distribution, own)
        if tensor.range is not None:
            value = value.clamp(*tensor.range)
        return value.to(getattr(torch, tensor.dtype))

    return Inputs(
        tuple(draw(tensor) for tensor in spec.args), {name: draw(tensor) for name, tensor in spec.kwargs.items()}
    )


def redistribute(inputs: Inputs, distribution: Distribution, seed: int) -> Inputs:
    """`inputs` with every floating-point tensor brought to another distribution of the same shape, dtype and signs.

    "normal" keeps them as drawn; "uniform" is uniform between the tensor's least and greatest value; "large" is 100
    times and "small" a thousandth of what was drawn; "sparse" keeps one element in ten and zeroes the rest.
    """
    generator = _generator(seed, distribution)
    return map_tensors(  # type: ignore[no-any-return]
        inputs, lambda value: _redistribute(value, distribution, generator) if value.is_floating_point() else value
    )


def _generator(seed: int, distribution: Distribution) -> Generator:
    return Generator().manual_seed(int(content_key(seed, distribution)[:15], 16))


def _draw(spec: TensorSpec, generator: Generator) -> Tensor:
    dtype: torch.dtype = getattr(torch, spec.dtype)
    if dtype == torch.bool:
        return torch.randint(2, spec.shape, generator=generator).bool()
    low, high = spec.range or (0.0, 1.0)
    if not dtype.is_floating_point:
        return torch.randint(int(low), int(high), spec.shape, generator=generator, dtype=dtype)
    # Drawn at full precision: narrower types are rounded at the end, so that they see the same values.
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    match spec.distribution:
        case "normal":
            return torch.randn(spec.shape, generator=generator, dtype=precision)
        case "uniform":
            return torch.rand(spec.shape, generator=generator, dtype=precision) * (high - low) + low
        case "zeros":
            return torch.zeros(spec.shape, dtype=precision)
        case "ones":
            return torch.ones(spec.shape, dtype=precision)


def _redistribute(value: Tensor, distribution: Distribution, generator: Generator) -> Tensor:
    if distribution == "normal" or value.numel() == 0:
        return value
    if distribution in SCALES:
        return value * SCALES[distribution]
    random = torch.rand(value.shape, generator=generator).to(value)
    if distribution == "uniform":
        low, high = value.aminmax()
        return random * (high - low) + low
    return value * (random < KEPT_WHEN_SPARSE)
