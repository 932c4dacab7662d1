"""Weights and inputs by their numbers: every process makes the same from the same `Draw`."""

from random import Random
from typing import Any

import torch
from torch import Generator, Tensor, nn

from netwright.cases import Case, Inputs, map_tensors
from netwright.cases.module import draw_inputs, prepare_module
from netwright.files import content_key
from netwright.harness.data import agent_provide_inputs, agent_provide_weights
from netwright.harness.protocol import Draw

NOISE = 0.1
"""Standard deviation of the noise of perturbed weights, relative to a tensor's own rms."""
VARIED_ELEMENTS = 1 << 16
"""About how many elements of a tensor a variation changes at most; they are spread over all of it."""


def draw_module(case: Case, draw: Draw) -> nn.Module:
    """The case's module with the drawn weights, on its device, in its dtype and mode.

    Raises:
        UserError: The module's code raises.
    """
    if not draw.perturbed:
        weights = agent_provide_weights(case, seed=draw.weight_seed)
        return prepare_module(case, seed=draw.weight_seed, weights=weights)
    module = prepare_module(case, seed=draw.weight_seed)
    _perturb(module, draw.weight_seed)
    return module


def draw_call(case: Case, draw: Draw) -> Inputs:
    """The drawn arguments of one call, on the case's device, in memory of their own.

    Raises:
        UserError: The case's own code that draws them raises.
    """
    inputs = _to_device(_provide(case, draw, draw.seed), case)
    if draw.nonce and floating_tensors(inputs):
        vary(inputs, draw.nonce)
    elif draw.nonce:
        inputs = _to_device(_provide(case, draw, int(content_key(draw.seed, draw.nonce)[:7], 16)), case)
    if draw.resized:
        inputs = _resize(inputs)
    if draw.special:
        for tensor in floating_tensors(inputs):
            _flat(tensor)[tensor.numel() // 2] = float(draw.special)
    return map_tensors(inputs, _with_gaps) if draw.strided else inputs


def vary(inputs: Inputs, nonce: int, *, undo: bool = False) -> None:
    """Halve and shift elements of every floating-point input in place, every few from some element on.

    The changes reach all over a tensor, and change its sum: neither an earlier output nor part of one is right again.

    Args:
        undo: Whether to undo the same variation, to the bit unless halves were too small for the type.
    """
    random = Random(nonce)
    for tensor in floating_tensors(inputs):
        elements = _flat(tensor)
        step = random.randint(2, 5) * max(1, elements.numel() // VARIED_ELEMENTS)
        chosen = elements[random.randrange(min(step, elements.numel())) :: step]
        shift = random.randrange(len(chosen))
        chosen.copy_(chosen.roll(-shift).mul_(2) if undo else chosen.roll(shift).mul_(0.5))


def _resize(inputs: Inputs) -> Inputs:
    """The inputs with another size of the first dimension, in every tensor that has the first one's."""
    sizes = [tensor.shape[0] for tensor in all_tensors(inputs) if tensor.dim()]
    if not sizes or sizes[0] == 0:
        return inputs
    size = sizes[0]
    wanted = size // 2 + 1 if size > 2 else size + 1

    def resized(tensor: Tensor) -> Tensor:
        if not tensor.dim() or tensor.shape[0] != size:
            return tensor
        return torch.cat([tensor, tensor[:1]])[:wanted].clone()

    return map_tensors(inputs, resized)  # type: ignore[no-any-return]


def floating_tensors(inputs: Inputs) -> list[Tensor]:
    """The floating-point tensors among the inputs that have elements."""
    return [tensor for tensor in all_tensors(inputs) if tensor.is_floating_point() and tensor.numel()]


def all_tensors(value: Any) -> list[Tensor]:
    """Every tensor inside nested lists, tuples, dicts and Inputs, in order."""
    found: list[Tensor] = []
    map_tensors(value, found.append)
    return found


class Feed:
    """A case's inputs in buffers that stay in place: only their contents tell one call from the next."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._draw = Draw()
        self._inputs: Inputs | None = None
        self._versions: list[int] = []

    def load(self, draw: Draw) -> Inputs:
        """The inputs of `draw`, in the buffers of the last ones where those fit."""
        fresh = draw_call(self._case, draw)
        self._inputs = fresh if self._inputs is None else _refill(self._inputs, fresh)
        self._draw = draw
        self._versions = self._current_versions()
        return self._inputs

    def vary(self, nonce: int) -> Inputs:
        """The inputs of the last draw with another nonce, in place."""
        draw = self._draw.model_copy(update={"nonce": nonce})
        assert self._inputs is not None
        untouched = self._versions == self._current_versions()
        odd = self._draw.special or self._draw.strided or self._draw.resized
        if not untouched or odd or not floating_tensors(self._inputs):
            return self.load(draw)
        if self._draw.nonce:
            vary(self._inputs, self._draw.nonce, undo=True)
        if nonce:
            vary(self._inputs, nonce)
        self._draw = draw
        self._versions = self._current_versions()
        return self._inputs

    def _current_versions(self) -> list[int]:
        return [tensor._version for tensor in all_tensors(self._inputs)]


def _provide(case: Case, draw: Draw, seed: int) -> Inputs:
    """Drawn inputs: the shared ones from the disk cache; those of probes, variations and secret seeds are not kept."""
    if draw.distribution == "normal" and seed == draw.weight_seed:
        return agent_provide_inputs(case, seed=seed)
    return draw_inputs(case, seed=seed, distribution=draw.distribution)


def _to_device(inputs: Inputs, case: Case) -> Inputs:
    """A copy on the case's device, each tensor dense and in its own memory order."""
    return map_tensors(inputs, lambda tensor: tensor.to(case.options.device, copy=True))  # type: ignore[no-any-return]


def _refill(buffers: Inputs, fresh: Inputs) -> Inputs:
    """`fresh`, in `buffers` where every tensor has its counterpart there."""
    old, new = all_tensors(buffers), all_tensors(fresh)
    if [_layout(tensor) for tensor in old] != [_layout(tensor) for tensor in new]:
        return fresh
    remaining = iter(old)
    return map_tensors(fresh, lambda tensor: next(remaining).copy_(tensor))  # type: ignore[no-any-return]


def _layout(tensor: Tensor) -> tuple[Any, ...]:
    return type(tensor), tensor.shape, tensor.dtype, tensor.stride(), tensor.device


def _flat(tensor: Tensor) -> Tensor:
    """A dense tensor's elements in the order in which they lie in memory."""
    return tensor.as_strided((tensor.numel(),), (1,))


def _with_gaps(tensor: Tensor) -> Tensor:
    wide = tensor.new_empty((*tensor.shape, 2))
    wide[..., 0] = tensor
    return wide[..., 0]


def _perturb(module: nn.Module, seed: int) -> None:
    """Change every floating-point number that a state dict holds: parameters by noise, and of buffers the running means
    of normalisation layers, too. Other buffers keep their signs, zeros and infinities, which may be masks or scales.
    """
    generator = Generator().manual_seed(seed)

    def noise(tensor: Tensor, scale: float) -> Tensor:
        return (torch.randn(tensor.shape, generator=generator) * scale).to(tensor)

    with torch.no_grad():
        for value in module.parameters():
            if value.is_floating_point() and value.numel():
                rms = float(value.float().square().mean().sqrt())
                value.add_(noise(value, NOISE * (rms or 1.0)))
        kept = module.state_dict(keep_vars=True)
        for name, buffer in module.named_buffers():
            if name not in kept or not buffer.is_floating_point():
                continue
            if name.endswith("running_mean"):
                buffer.add_(noise(buffer, NOISE))
            else:
                buffer.mul_(noise(buffer, NOISE).exp())
