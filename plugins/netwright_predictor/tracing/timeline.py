"""The timeline: when a step's tensors come and go, recorded at a few small sizes and evaluated at any."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Literal, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from netwright_predictor.polynomial import Polynomial
from netwright_predictor.tracing.cache import cached_tensors
from netwright_predictor.tracing.fitting import fit_bytes, fit_sum
from netwright_predictor.tracing.likeness import likeness

Moment = Literal["forward", "forward done", "backward", "backward done", "loss"]
CACHE_ARGUMENTS = ("past_key_value", "cache", "state", "layer_past", "past_bucket")
"""How the names of arguments begin by which a layer is given the model's cache."""


Layers = list[tuple[str, nn.Module]]
_FOUND: WeakKeyDictionary[nn.Module, list[Layers]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Mark:
    """Something that happens between two changes of memory.

    Attributes:
        position: How many changes came before.
        moment: What happens.
        layer: Path of the layer that it happens to; "" for the whole model.
    """

    position: int
    moment: Moment
    layer: str


@dataclass
class Recording:
    """One step at one set of sizes.

    Attributes:
        changes: Bytes of every storage when it comes, and minus its bytes when it goes, in order.
        marks: What happened when.
        spared: How many layers like it did not run, by path of the layer that ran.
        filled: Path of the layer that made a tensor of the cache, by where it lies in the cache.
        came: The change with which a storage came that is still there, by its identity.
        went: The change with which a storage went, by the one with which it came.
        given: The change with which the storage came that a layer is given, by the layer's path.
        handed_on: The change with which the storage came that it hands on, likewise.
        gradients: The changes with which gradients of parameters came.
        open: Whether the step is going on.
        unfinished: Paths of layers that have computed, and whose input the model may still hold.
    """

    changes: list[int] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    spared: Counter[str] = field(default_factory=Counter)
    filled: dict[str, str] = field(default_factory=dict)
    came: dict[int, int] = field(default_factory=dict)
    went: dict[int, int] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)
    handed_on: dict[str, int] = field(default_factory=dict)
    gradients: set[int] = field(default_factory=set)
    open: bool = True
    unfinished: list[str] = field(default_factory=list)

    @property
    def end_of_forward(self) -> int:
        """How many changes there were when the forward pass and the loss were done."""
        return next((each.position for each in self.marks if each.moment == "loss"), len(self.changes))

    def come(self, identity: int, size: int) -> None:
        """Note that a storage comes."""
        if self.open:
            self.came[identity] = len(self.changes)
            self.changes.append(size)

    def go(self, identity: int, size: int) -> None:
        """Note that a storage goes."""
        if self.open:
            came = self.came.pop(identity, None)
            if came is not None:
                self.went[came] = len(self.changes)
            self.changes.append(-size)

    def mark(self, moment: Moment, layer: str = "") -> None:
        """Note that something happens now."""
        self.marks.append(Mark(len(self.changes), moment, layer))

    def mark_gradients(self, gradients: Iterable[Tensor]) -> None:
        """Note which storages are gradients of parameters."""
        found = (self.came.get(id(each.untyped_storage())) for each in gradients)
        self.gradients.update(position for position in found if position is not None)

    def finish(self) -> None:
        """Note that the model has let go of what the last layer was given, since it calls another or returns."""
        while self.unfinished:
            self.mark("forward done", self.unfinished.pop())

    def clear(self) -> None:
        """Forget what was noted so far, but for the tensors of the cache and who made them."""
        self.changes.clear()
        self.marks.clear()
        self.spared.clear()
        self.unfinished.clear()

    def close(self) -> None:
        """Note nothing more: the step is over, and what is left goes."""
        self.open = False


class AllocationRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own class is not annotated
    """Inside the block, every storage that an operator makes is recorded when it comes and when it goes.

    Args:
        recording: Is filled.
        lasting: Tensors that were there before and stay.
        arriving: Tensors that come with the step.
        given: Tensors that were there before and may go.
    """

    def __init__(
        self,
        recording: Recording,
        lasting: Iterable[Tensor],
        arriving: Iterable[Tensor] = (),
        given: Iterable[Tensor] = (),
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recording = recording
        self._known: dict[int, weakref.ref[Any] | None] = {id(each.untyped_storage()): None for each in lasting}
        for each in given:
            self._watch(each.untyped_storage())
        for each in arriving:
            self._see(each)

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operator and note the storages of what it returns."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._see(leaf)
        return result

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if self._watch(storage):
            self._recording.come(id(storage), storage.nbytes())

    def _watch(self, storage: torch.UntypedStorage) -> bool:
        """Note when a storage goes; False where it is known already."""
        key, size = id(storage), storage.nbytes()
        if key in self._known:
            return False

        def gone(_: object) -> None:
            del self._known[key]
            self._recording.go(key, size)

        self._known[key] = weakref.ref(storage, gone)
        return True


@contextmanager
def marked_layers(model: nn.Module, recording: Recording) -> Iterator[None]:
    """Inside the block, of layers of a stack that are alike only the first computes, and it leaves marks.

    The others hand on their first input, so that the gradient finds its way. Layers that change the shape of what
    passes through all compute.
    """
    groups = _alike_layers(model)
    for layers in groups:
        (first_path, first), *others = layers
        outputs: list[Any] = []
        vars(first)["forward"] = _marking(first, first_path, outputs, recording)
        for _, layer in others:
            vars(layer)["forward"] = _passing(layer, first_path, outputs, recording)
    try:
        yield
    finally:
        for layers in groups:
            for _, layer in layers:
                del vars(layer)["forward"]


def _alike_layers(model: nn.Module) -> list[Layers]:
    """The layers of a model's outer lists, those that are alike together; found once per model."""
    if model not in _FOUND:
        _FOUND[model] = list(_find_layers(model))
    return _FOUND[model]


def _find_layers(model: nn.Module) -> Iterator[Layers]:
    inside: list[str] = []
    for path, container in model.named_modules():
        if not isinstance(container, nn.ModuleList) or any(path.startswith(f"{each}.") for each in inside):
            continue
        inside.append(path)
        alike: dict[Any, Layers] = {}
        for name, layer in container.named_children():
            alike.setdefault(likeness(layer), []).append((f"{path}.{name}", layer))
        yield from (layers for layers in alike.values() if not any("forward" in vars(layer) for _, layer in layers))


def _marking(layer: nn.Module, path: str, outputs: list[Any], recording: Recording) -> Callable[..., Any]:
    forward = layer.forward

    def call(*args: Any, **kwargs: Any) -> Any:
        recording.finish()
        recording.mark("forward", path)
        given = _stream(args, kwargs)
        if given is not None and id(given.untyped_storage()) in recording.came:
            recording.given[path] = recording.came[id(given.untyped_storage())]
        if given is not None and given.requires_grad:
            given.register_hook(lambda _: recording.mark("backward done", path))
        before = _names_in(kwargs)
        output = forward(*args, **kwargs)
        recording.filled.update(dict.fromkeys(_names_in(kwargs) - before, path))
        made = _stream((output,), {})
        if made is not None and made.requires_grad:
            made.register_hook(lambda _: recording.mark("backward", path))
        if made is not None and id(made.untyped_storage()) in recording.came:
            recording.handed_on[path] = recording.came[id(made.untyped_storage())]
        outputs[:] = [tree_map_only(Tensor, _shape_of, output)]
        recording.unfinished.append(path)
        return output

    return call


def _passing(layer: nn.Module, path: str, outputs: list[Any], recording: Recording) -> Callable[..., Any]:
    forward = layer.forward

    def call(*args: Any, **kwargs: Any) -> Any:
        recording.finish()
        given = _stream(args, kwargs)
        made = _stream((outputs[0],), {}, _Shape) if outputs else None
        if given is None or made is None or made.shape != tuple(given.shape):
            return forward(*args, **kwargs)
        recording.spared[path] += 1
        return tree_map_only(
            _Shape, lambda each: given if each is made else torch.empty(each.shape, dtype=each.dtype), outputs[0]
        )

    return call


def _names_in(kwargs: Mapping[str, Any]) -> set[str]:
    """Where tensors lie in the cache that a layer is given, if it is given one."""
    caches = [value for name, value in kwargs.items() if name.startswith(CACHE_ARGUMENTS)]
    return {name for cache in caches for name, _, _ in cached_tensors(cache)}


@dataclass(eq=False)
class _Shape:
    shape: tuple[int, ...]
    dtype: torch.dtype


def _shape_of(tensor: Tensor) -> _Shape:
    return _Shape(tuple(tensor.shape), tensor.dtype)


def _stream(args: tuple[Any, ...], kwargs: Mapping[str, Any], kind: Any = Tensor) -> Any:
    """What runs through a stack of layers: the first tensor of floats."""
    for leaf in tree_leaves((args, dict(kwargs))):
        if isinstance(leaf, kind) and leaf.dtype.is_floating_point:
            return leaf
    return None


@dataclass(frozen=True)
class Window:
    """The time that a layer takes, as positions between changes."""

    begin: int
    end: int

    def __contains__(self, position: int) -> bool:
        return self.begin <= position <= self.end


@dataclass(frozen=True)
class Stack:
    """Layers that are alike, of which one was recorded.

    Attributes:
        path: Of that one.
        spared: How many others there are.
        forward: When it computed.
        backward: When its gradients were computed; None without a backward pass.
        transient: The change with which its output came, where no layer keeps what it is given for the backward pass:
            then the output of each goes while the next computes.
    """

    path: str
    spared: int
    forward: Window
    backward: Window | None
    transient: int | None


@dataclass(frozen=True)
class Peak:
    """Bytes at the greatest moment of a step.

    Attributes:
        bytes: Of all tensors that the step made, gradients included, weights and optimizer state not.
        kept: Of those that are alive when the forward pass and the loss are done.
        moment: Where the greatest moment is.
    """

    bytes: int
    kept: int
    moment: Literal["forward", "backward", "unknown"]


class Peaks(Protocol):
    """The greatest moments of a step at all sizes."""

    def peak(self, sizes: Mapping[str, int], *, copies: int = 1) -> Peak:
        """The greatest moment at `sizes`, with every layer counted.

        Args:
            copies: Among how many devices that see other sequences the gradients are shared out as they come.
        """
        ...


@dataclass(frozen=True)
class Timeline:
    """One step at all sizes.

    Attributes:
        changes: Bytes of every storage that comes or goes, in order.
        signs: 1 where it comes, -1 where it goes.
        windows: Per change, how many cached positions the layer at work keeps at most, or None for all.
        stacks: Where one layer stands for several.
        gradients: The changes with which gradients of parameters come.
        end_of_forward: Position at which the forward pass and the loss are done.
    """

    changes: tuple[Polynomial, ...]
    signs: tuple[int, ...]
    windows: tuple[int | None, ...]
    stacks: tuple[Stack, ...]
    gradients: frozenset[int]
    end_of_forward: int

    def peak(self, sizes: Mapping[str, int], *, copies: int = 1) -> Peak:
        """The greatest moment at `sizes`, with every layer counted and gradients shared out among `copies`."""
        kinds = list(zip(self.changes, self.windows, strict=True))
        values = {(each, window): each(_within(sizes, window)) for each, window in set(kinds)}
        changes = [sign * values[kind] for sign, kind in zip(self.signs, kinds, strict=True)]
        for position in self.gradients:
            changes[position] = -(-changes[position] // copies)
        return greatest_moment(changes, self.stacks, self.end_of_forward)


@dataclass(frozen=True)
class FittedPeaks:
    """The greatest moments of a step in which what happens depends on the sizes, as loops over positions make it.

    Attributes:
        greatest: Bytes at the greatest moment.
        kept: Bytes when the forward pass and the loss are done.
        moment: Where the greatest moment was at small sizes.
    """

    greatest: Polynomial
    kept: Polynomial
    moment: Literal["forward", "backward", "unknown"]

    def peak(self, sizes: Mapping[str, int], *, copies: int = 1) -> Peak:
        """The greatest moment at `sizes`; gradients among others were not told apart, so that all of them count."""
        del copies
        return Peak(self.greatest(sizes), self.kept(sizes), self.moment)


def greatest_moment(changes: Sequence[int], stacks: Iterable[Stack], end_of_forward: int) -> Peak:
    """The greatest moment of a step, with every layer counted.

    Of layers that are alike the recorded one stands for the first and the last: while it computes, all others have done
    so, or none has, whichever is more.
    """
    levels = [0, *accumulate(changes)]
    for stack in stacks:
        _add_spared(levels, changes, stack)
    greatest = max(range(len(levels)), key=levels.__getitem__)
    moment: Literal["forward", "backward"] = "forward" if greatest <= end_of_forward else "backward"
    return Peak(bytes=levels[greatest], kept=levels[end_of_forward], moment=moment)


def _within(sizes: Mapping[str, int], window: int | None) -> Mapping[str, int]:
    return sizes if window is None else {**sizes, "C": min(sizes["C"], window)}


def _add_spared(levels: list[int], changes: Sequence[int], stack: Stack) -> None:
    transient = changes[stack.transient] if stack.transient is not None else 0
    done = stack.spared * (sum(changes[stack.forward.begin : stack.forward.end]) - transient)
    gone = done
    if stack.backward is not None:
        gone += stack.spared * sum(changes[stack.backward.begin : stack.backward.end])
    for position in range(len(levels)):
        if position < stack.forward.begin:
            continue
        if position in stack.forward:
            levels[position] += max(0, done)
        elif stack.backward is None or position < stack.backward.begin:
            levels[position] += done
        elif position in stack.backward:
            levels[position] += max(done, gone)
        else:
            levels[position] += gone


def read_timeline(
    recordings: Sequence[Recording], sizes: Sequence[Mapping[str, int]], windows: Mapping[str, int]
) -> Timeline | None:
    """The timeline of a step at all sizes, or None where what happens depends on the sizes.

    Args:
        recordings: Of one step.
        sizes: At which they were made; they differ in all that may vary.
        windows: How many cached positions a layer keeps at most, by path; all where missing.
    """
    first = recordings[0]
    if any(each.marks != first.marks or len(each.changes) != len(first.changes) for each in recordings):
        return None
    explained: dict[tuple[int, ...], Polynomial] = {}
    changes = []
    signs = []
    for values in zip(*(each.changes for each in recordings), strict=True):
        magnitude = tuple(abs(value) for value in values)
        if magnitude not in explained:
            found = fit_bytes(magnitude, sizes)
            if found is None:
                return None
            explained[magnitude] = found
        changes.append(explained[magnitude])
        signs.append(1 if values[0] >= 0 else -1)
    spans = list(_spans(first))
    caps: list[int | None] = [None] * len(changes)
    for span in spans:
        caps[span.forward.begin : span.forward.end] = [windows.get(span.path)] * (span.forward.end - span.forward.begin)
    gradients = frozenset(first.gradients)
    return Timeline(tuple(changes), tuple(signs), tuple(caps), tuple(spans), gradients, first.end_of_forward)


def fit_peaks(recordings: Sequence[Recording], sizes: Sequence[Mapping[str, int]]) -> FittedPeaks | None:
    """The greatest moments of a step, fitted to those at `sizes`, or None where no simple polynomial has them."""
    peaks = [greatest_moment(each.changes, _spans(each), each.end_of_forward) for each in recordings]
    greatest = fit_sum([each.bytes for each in peaks], sizes)
    kept = fit_sum([each.kept for each in peaks], sizes)
    if greatest is None or kept is None:
        return None
    return FittedPeaks(greatest, kept, peaks[-1].moment)


def _spans(recording: Recording) -> Iterator[Stack]:
    at: dict[str, dict[Moment, int]] = {}
    for mark in recording.marks:
        if mark.layer:
            at.setdefault(mark.layer, {}).setdefault(mark.moment, mark.position)
    for path, moments in at.items():
        if "forward done" in moments:
            backward = None
            if "backward" in moments and "backward done" in moments:
                backward = Window(moments["backward"], moments["backward done"])
            forward = Window(moments["forward"], moments["forward done"])
            end = recording.end_of_forward
            keeps = recording.went.get(recording.given.get(path, -1), end) >= end
            yield Stack(
                path, recording.spared[path], forward, backward, None if keeps else recording.handed_on.get(path)
            )
