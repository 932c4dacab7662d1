"""Gradient checkpointing: activations inside blocks are computed again for the backward rather than kept.

Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

_asked: ContextVar[bool] = ContextVar("netwright_recomputation", default=False)


@contextmanager
def asking_for_recomputation(asked: bool) -> Iterator[None]:
    """Inside the block, whoever leaves the choice open to `recomputing` does as is asked."""
    token = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(token)


@contextmanager
def recomputing(model: nn.Module, *, enabled: bool | None = None) -> Iterator[None]:
    """Forwards inside the block keep only what enters and leaves the model's blocks; gradients are bit-equal.

    Dropout draws the same numbers again, and batch normalisation's statistics are updated once.

    Args:
        enabled: False changes nothing; None does as `asking_for_recomputation` says, by default nothing.
    """
    blocks = repeated_blocks(model) if (_asked.get() if enabled is None else enabled) else []
    before = [vars(block).get("forward") for block in blocks]
    for block in blocks:
        block.forward = partial(_recomputed, block.forward, block)
    try:
        yield
    finally:
        for block, forward in zip(blocks, before, strict=True):
            if forward is None:
                del block.forward
            else:
                block.forward = forward


def repeated_blocks(model: nn.Module) -> list[nn.Module]:
    """The innermost modules with parts of their own that stand in a list or a sequence, in order."""
    listed = [
        child
        for container in model.modules()
        if isinstance(container, (nn.ModuleList, nn.Sequential))
        for child in container.children()
        if any(True for _ in child.children())
    ]
    blocks = list(dict.fromkeys(block for block in listed if not isinstance(block, (nn.ModuleList, nn.Sequential))))
    known = set(blocks)
    return [block for block in blocks if not any(part in known for part in block.modules() if part is not block)]


def _recomputed(forward: Callable[..., Any], block: nn.Module, *args: Any, **kwargs: Any) -> Any:
    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_kept(block)

    return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **kwargs)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """Inside the block, batch normalisations leave their running statistics as they are."""
    norms = [norm for norm in block.modules() if isinstance(norm, _BatchNorm) and norm.training]
    counts = [norm.num_batches_tracked for norm in norms]
    kept = [
        (norm, norm.momentum, None if count is None else count.clone())
        for norm, count in zip(norms, counts, strict=True)
    ]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in kept:
            norm.momentum = momentum
            if count is not None and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.copy_(count)
