"""Reconstruction: what remains of each layer is refitted to do the work of the whole one, without any training."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from netwright_pruning.recalibration import recalibrate
from netwright_training.surroundings import modes_kept

RIDGE = 1e-3
"""How strongly the weights are held where they are, relative to the mean square of the layer's inputs."""

MAX_FEATURES = 8192
"""Layers with more inputs per output than this are left alone: their normal equations would take too long."""

POSITIONS = 2048
"""Rows of a batch's inputs that are looked at, at most; patches of large images are plenty."""

Kept = Mapping[str, Sequence[int]]
"""Per layer, which of the unpruned layer's output channels remain."""


def reconstruct(model: nn.Module, pruned: nn.Module, kept: Kept, batches: Sequence[Tensor]) -> int:
    """Refit the weights of `pruned`, layer by layer in the order of the forward, and re-estimate batch normalisation.

    Each layer gets the weights that, given what now comes in, best reproduce the outputs of the unpruned layer in the
    channels that remain: ridge regression towards the weights it has (as in He et al., "Channel Pruning for
    Accelerating Very Deep Neural Networks", ICCV 2017, section 3.1, but over all layers, and with each layer's
    inputs as the refitted layers before it give them). No target is looked at. The groups of a convolution are fitted
    one by one: each has its own inputs and outputs.

    Args:
        model: The unpruned model; nothing of it changes.
        pruned: Its pruned copy, with its weights; changed in place.
        batches: Model inputs, shape (batch, ...), on the models' device.

    Returns:
        How many layers were refitted: convolutions and linear layers that the forward goes through once.
    """
    with modes_kept(model), modes_kept(pruned), torch.no_grad():
        model.eval()
        pruned.eval()
        order = _order(pruned, kept, batches[0][:2])
        first = next((place for place, name in enumerate(order) if not _takes_all(model, pruned, name)), len(order))
        layers = [name for name in order[first:] if _can_refit(pruned.get_submodule(name))]  # before, nothing changed
        targets = _outputs(model, kept, layers, batches)
        with _statistics_of_the_batch(pruned):
            for name in layers:
                _refit(name, pruned, targets.pop(name), batches)
        recalibrate(pruned, batches)
    return len(layers)


def _takes_all(model: nn.Module, pruned: nn.Module, name: str) -> bool:
    """Whether the layer still has all of its inputs."""
    before, after = (whose.get_parameter(f"{name}.weight").shape[1:] for whose in (model, pruned))
    return before == after


def _can_refit(layer: nn.Module) -> bool:
    if type(layer) is nn.Conv2d:  # a subclass may pad, or use its weights, in its own way
        plain = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        return plain and layer.weight[0].numel() <= MAX_FEATURES
    return type(layer) is nn.Linear and layer.in_features <= MAX_FEATURES


def _order(model: nn.Module, kept: Kept, inputs: Tensor) -> list[str]:
    """The layers in the order of the forward; those that run more than once, or share weights, are left out."""
    calls: list[str] = []
    with ExitStack() as hooks:
        for name in kept:
            _listen(hooks, model, name, lambda *_, name=name: calls.append(name))
        model(inputs)
    owners = [id(model.get_parameter(f"{name}.weight")) for name in calls]
    return [name for name, owner in zip(calls, owners, strict=True) if owners.count(owner) == 1]


def _refit(name: str, pruned: nn.Module, targets: Sequence[Tensor], batches: Sequence[Tensor]) -> None:
    """Solve one layer's normal equations, in float64, those of all its groups at once.

    Args:
        targets: Per batch, what it should put out in the positions that are looked at.
    """
    layer = pruned.get_submodule(name)
    assert isinstance(layer, (nn.Conv2d, nn.Linear))
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    before = layer.weight.detach().double().reshape(groups, -1, layer.weight[0].numel())
    if layer.bias is not None:
        before = torch.cat([before, layer.bias.detach().double().reshape(groups, -1, 1)], 2)
    width = before.shape[2]
    squares = before.new_zeros(groups, width, width)
    products = before.new_zeros(groups, width, before.shape[1])
    for batch, outputs in zip(batches, targets, strict=True):
        rows, wanted = _by_group(_few(_rows(layer, _input_of(pruned, name, batch))), groups), _by_group(outputs, groups)
        if layer.bias is not None:
            rows = torch.cat([rows, torch.ones_like(rows[..., :1])], 2)
        squares += rows.mT @ rows
        products += rows.mT @ wanted
    scales = squares.diagonal(dim1=1, dim2=2).mean(1).clamp_min(torch.finfo(torch.float32).tiny)
    ridge = RIDGE * scales[:, None, None]
    held = squares + ridge * torch.eye(width, dtype=squares.dtype, device=squares.device)
    after = torch.linalg.solve(held, products + ridge * before.mT).mT
    if not torch.isfinite(after).all():
        return
    if layer.bias is not None:
        layer.bias.copy_(after[..., -1].flatten())
        after = after[..., :-1]
    layer.weight.copy_(after.reshape(layer.weight.shape))


def _by_group(columns: Tensor, groups: int) -> Tensor:
    """From shape (positions, groups * width) to (groups, positions, width), in float64."""
    return columns.double().reshape(len(columns), groups, -1).transpose(0, 1)


def _outputs(model: nn.Module, kept: Kept, layers: Sequence[str], batches: Sequence[Tensor]) -> dict[str, list[Tensor]]:
    """Per layer and batch, what the unpruned model puts out in the channels that remain and the positions looked at."""
    found: dict[str, list[Tensor]] = {name: [] for name in layers}

    def keep(name: str, module: nn.Module, _inputs: Any, outputs: Any) -> None:
        assert isinstance(module, (nn.Conv2d, nn.Linear))
        found[name].append(_few(_targets(module, outputs))[:, list(kept[name])].clone())

    with ExitStack() as hooks:
        for name in layers:
            _listen(hooks, model, name, partial(keep, name))
        for batch in batches:
            model(batch)
    return found


def _few(rows: Tensor) -> Tensor:
    """At most `POSITIONS` of the rows, evenly spread."""
    if len(rows) <= POSITIONS:
        return rows
    return rows[torch.linspace(0, len(rows) - 1, POSITIONS, device=rows.device).long()]


def _rows(layer: nn.Conv2d | nn.Linear, incoming: Tensor) -> Tensor:
    """What the outputs are sums of, shape (positions, features of all groups)."""
    if isinstance(layer, nn.Conv2d):
        assert not isinstance(layer.padding, str)
        patches = F.unfold(incoming, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
        return patches.transpose(1, 2).flatten(0, 1)
    return incoming.reshape(-1, layer.in_features)


def _targets(layer: nn.Conv2d | nn.Linear, outputs: Tensor) -> Tensor:
    """Outputs as (positions, channels), in the order of `_rows`."""
    if isinstance(layer, nn.Conv2d):
        return outputs.flatten(2).transpose(1, 2).flatten(0, 1)
    return outputs.reshape(-1, outputs.shape[-1])


@contextmanager
def _statistics_of_the_batch(model: nn.Module) -> Iterator[None]:
    """Inside the block, batch normalisation goes by the batch: running statistics belong to the weights of before."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
        norm.train()
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
            norm.eval()


def _input_of(model: nn.Module, name: str, batch: Tensor) -> Tensor:
    """What a layer is given for a batch; the forward goes no further."""
    seen: list[Tensor] = []

    def look(_module: nn.Module, inputs: Any, _outputs: Any) -> None:
        seen.append(inputs[0].detach())
        raise _SeenError

    with ExitStack() as hooks:
        _listen(hooks, model, name, look)
        with suppress(_SeenError):
            model(batch)
    return seen[0]


class _SeenError(Exception):
    """Enough of a forward was seen."""


def _listen(hooks: ExitStack, model: nn.Module, name: str, hook: Callable[..., None]) -> None:
    handle = model.get_submodule(name).register_forward_hook(partial(_quietly, hook))
    hooks.callback(handle.remove)


def _quietly(hook: Callable[..., None], module: nn.Module, inputs: Any, outputs: Any) -> None:
    """Call the hook; what it returns would take the place of the outputs."""
    hook(module, inputs, outputs)
