"""The step: one forward, or one forward, loss and backward pass, with all that is allocated on the way."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from netwright_predictor.tracing.cache import Held, cached_tensors, held_tensors
from netwright_predictor.tracing.feed import CACHES, Feed, kept_caches
from netwright_predictor.tracing.sizes import Phase, Sizes
from netwright_predictor.tracing.timeline import AllocationRecorder, Recording, marked_layers


@dataclass(frozen=True)
class Step:
    """A step at one set of sizes.

    Attributes:
        sizes: These.
        recording: What came and went.
        held: The tensors of the cache afterwards, by where they lie.
        repeats: In how many layers each of them is.
        windows: How many cached positions a layer keeps at most, by path, where it does not keep all.
        has_own_loss: Whether the model computed its loss itself, from labels.
    """

    sizes: Sizes
    recording: Recording
    held: Mapping[str, Held]
    repeats: Mapping[str, int]
    windows: Mapping[str, int]
    has_own_loss: bool = False


def record_step(model: nn.Module, feed: Feed, sizes: Sizes, phase: Phase) -> Step:
    """Run one step on fake tensors.

    Args:
        model: As `faked` made it, inside its block.

    Raises:
        Exception: Whatever the model's own code raises.
    """
    recording = Recording()
    parameters = inspect.signature(type(model).forward).parameters
    with marked_layers(model, recording):
        kwargs = feed.inputs(model, sizes, phase)
        labels = _labels(kwargs) if phase == "train" and "labels" in parameters else {}
        if phase == "prefill" and "use_cache" in parameters:
            kwargs["use_cache"] = True
        recording.clear()
        lasting = (*model.parameters(), *model.buffers())
        recorder = AllocationRecorder(recording, lasting, _tensors_in(kwargs), _cached_in(kwargs))
        with recorder, torch.set_grad_enabled(phase == "train"):
            output = model(**kwargs, **labels)
            if phase == "train":
                loss = output["loss"] if labels else _first(output).float().sum()
                del output
                recording.finish()
                recording.mark("loss")
                loss.backward()
                recording.mark_gradients(each.grad for each in model.parameters() if each.grad is not None)
                recording.close()
                for parameter in model.parameters():
                    parameter.grad = None
                return Step(sizes, recording, {}, {}, {}, bool(labels))
            recording.finish()
            recording.close()
    held: dict[str, Held] = {}
    for cache in kept_caches(output).values():
        held |= held_tensors(cache)
    repeats = {name: 1 + recording.spared.get(recording.filled.get(name, ""), 0) for name in held}
    windows = {
        recording.filled[name]: each.window
        for name, each in held.items()
        if each.window is not None and name in recording.filled
    }
    return Step(sizes, recording, held, repeats, windows)


def _labels(kwargs: Mapping[str, Any]) -> dict[str, Tensor]:
    tokens = kwargs.get("decoder_input_ids", kwargs.get("input_ids"))
    return {"labels": tokens} if isinstance(tokens, Tensor) else {}


def _first(output: Any) -> Tensor:
    return next(leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor) and leaf.requires_grad)


def _tensors_in(kwargs: Mapping[str, Any]) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(dict(kwargs)) if isinstance(leaf, Tensor))


def _cached_in(kwargs: Mapping[str, Any]) -> Iterator[Tensor]:
    """The tensors of the cache that a forward is given; a generator, so that none of them is held here."""
    return (tensor for name in CACHES for _, tensor, _ in cached_tensors(kwargs.get(name)))
