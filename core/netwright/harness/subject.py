"""The subject: a variant of a case, loaded into this process and called on request."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from operator import attrgetter

import torch
from torch import Tensor, nn

from netwright.cases import Case, Inputs
from netwright.cases.seeding import seeded
from netwright.errors import NetwrightError, UserError
from netwright.harness.attributes import Attributes, plain_tensors
from netwright.harness.clock import Clock
from netwright.harness.compare import is_rounding
from netwright.harness.draws import Feed, all_tensors, draw_module
from netwright.harness.observe import as_tensor, digest, flatten, leaf_facts
from netwright.harness.poison import poisoned
from netwright.harness.protocol import Draw, Observed
from netwright.harness.settings import current_settings
from netwright.harness.stages import during
from netwright.harness.variant import Variant
from netwright.loading import load_attribute

Forward = Callable[..., object]
SETTLING_SECONDS = 0.02


def load_variant(variant: Variant, case: Case, module: nn.Module) -> tuple[Forward, nn.Module]:
    """What is to be called in the place of `module`, and the module that holds its weights: that one, or the variant's.

    Raises:
        UserError: The variant's target does not import, or is a module class and was given options.
        NetwrightError: It is neither a function nor a module class, or does not return a callable.
    """
    if not variant.target:
        return module, module
    target = load_attribute(variant.target)
    if isinstance(target, type) and issubclass(target, nn.Module):
        if variant.options:
            raise UserError(f"variant '{variant.label}' takes no options", why=f"{variant.target} is a module class")
        with seeded(0):
            instance = target(*case.init_args, **case.init_kwargs)
        instance.load_state_dict(module.state_dict())
        _copy_hidden_tensors(module, instance)
        dtype: torch.dtype | None = getattr(torch, case.options.dtype) if case.options.dtype else None
        instance = instance.to(case.options.device, dtype)
        _copy_modes(module, instance)
        return instance, instance
    if not callable(target):
        raise NetwrightError(f"{variant.target} is neither a function nor a module class")
    forward = target(module, **variant.options)
    if not callable(forward):
        raise NetwrightError(f"{variant.target} returned {type(forward).__name__}", why="it must return a callable")
    return forward, module


def hidden_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Those tensors of a module that no state dict holds, by name: non-persistent buffers and plain attributes.

    They may be random, such as a recurrent network's first hidden state, and a constructor draws its own.
    """
    for prefix, part in module.named_modules():
        found = {key: part._buffers[key] for key in part._non_persistent_buffers_set}
        yield from ((f"{prefix}.{key}".lstrip("."), value) for key, value in found.items() if isinstance(value, Tensor))
    yield from plain_tensors(module)


def _copy_hidden_tensors(module: nn.Module, instance: nn.Module) -> None:
    for name, value in hidden_tensors(module):
        with suppress(AttributeError), torch.no_grad():  # a variant need not have it
            own = attrgetter(name)(instance)
            if isinstance(own, Tensor) and own.shape == value.shape:
                own.copy_(value)


def _copy_modes(module: nn.Module, instance: nn.Module) -> None:
    """Put the instance into the module's mode, and parts of the same names into those of their counterparts."""
    instance.train(module.training)
    own = dict(instance.named_modules())
    for name, part in module.named_modules():
        if name in own:
            own[name].training = part.training


class Subject:
    """A variant of a case with everything that its calls need.

    Args:
        before_variant: Called when the case is built and the variant not yet imported.

    Raises:
        StageError: The case cannot be built or the variant cannot be loaded.
    """

    def __init__(
        self, case: Case, variant: Variant, clock: Clock, draw: Draw, before_variant: Callable[[], None] = lambda: None
    ) -> None:
        self.case = case
        self.variant = variant
        self.clock = clock
        self.device = torch.device(case.options.device)
        self.feed = Feed(case)
        self._before_variant = before_variant
        self._last: list[Tensor] = []
        self._load(draw)

    @property
    def model(self) -> nn.Module:
        """The module that the variant's calls go through: its own where it is one, else the case's."""
        own = getattr(self.forward, "_orig_mod", self.forward)
        return own if isinstance(own, nn.Module) else self.module

    def prepare(self, draw: Draw) -> Inputs:
        """Have the weights of `draw` in place; its inputs.

        Raises:
            StageError: The case or the variant raised.
        """
        if self._weights != (draw.weight_seed, draw.perturbed):
            self._load(draw)
        with during("case"):
            return self.feed.load(draw)

    def call(self, inputs: Inputs) -> object:
        """One call, without gradients.

        Raises:
            StageError: It raised.
        """
        with during("call"), torch.no_grad():
            return self.forward(*inputs.args, **inputs.kwargs)

    def run(self, draw: Draw) -> tuple[Observed, dict[str, Tensor]]:
        """One call in poisoned memory, from the drawn weights, inputs and seed, with all its effects.

        Raises:
            StageError: The case, the variant or the call raised.
        """
        inputs = self.prepare(draw)
        given = {f"input {index}": tensor for index, tensor in enumerate(all_tensors(inputs))}
        before = self._digests | {name: digest(tensor) for name, tensor in given.items()}
        with seeded(draw.seed), poisoned(self.device) as is_poisoned:
            started = self.clock.seconds()
            output = self.call(inputs)
            self.clock.synchronize()
            seconds = self.clock.seconds() - started
            structure, leaves = flatten(output)
            tensors = {f"output {index}": as_tensor(leaf) for index, leaf in enumerate(leaves)}
        unfinished = self._still_changes(leaves, tensors)
        state = self._state() | given
        after = {name: digest(tensor) for name, tensor in state.items()}
        changed = tuple(
            name
            for name in before | after
            if before.get(name) != after.get(name) and not self._is_rounded_otherwise(name, state)
        )
        tensors |= {name: state[name].detach().clone() for name in changed if name in state}
        self._restore(changed)
        observed = Observed(
            structure=structure,
            leaves=tuple(leaf_facts(leaf, state | self._last_outputs()) for leaf in leaves),
            changed=changed,
            seconds=seconds,
            poisoned=is_poisoned,
            unfinished=unfinished,
            settings=current_settings(),
        )
        self._last = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        return observed, tensors

    @property
    def buffers_changed(self) -> bool:
        """Whether any buffer's or plain attribute's contents are not those of when the variant was loaded."""
        return any(digest(value) != self._digests.get(name) for name, value in self._buffers().items())

    def restore_buffers(self) -> None:
        """Give every buffer and plain attribute the contents that it had when the variant was loaded.

        One that has them, bit for bit, is not written: a variant that keeps what it made of its tensors would make it
        anew.
        """
        self._attributes.restore()
        with torch.no_grad():
            for name, value in self._buffers().items():
                pristine = self._pristine.get(name)
                if pristine is not None and value.shape == pristine.shape and digest(value) != self._digests[name]:
                    value.copy_(pristine)

    def _load(self, draw: Draw) -> None:
        """Build module and variant with the weights of `draw`."""
        with during("case"):
            self.module = draw_module(self.case, draw)
        self._before_variant()
        with during("variant"):
            self.forward, self._owner = load_variant(self.variant, self.case, self.module)
        self._attributes = Attributes(self._owner, [name for name, _ in plain_tensors(self.module)])
        self._pristine = {name: value.detach().clone() for name, value in self._buffers().items()}
        self._digests = {name: digest(value) for name, value in self._state().items()}
        self._weights: tuple[int, bool] | None = (draw.weight_seed, draw.perturbed)

    def _still_changes(self, leaves: list[Tensor | float], tensors: dict[str, Tensor]) -> bool:
        """Whether outputs are not what they were when the call returned, after a while in which threads could run."""
        self.clock.sleep(SETTLING_SECONDS)
        self.clock.synchronize()
        return any(digest(as_tensor(leaf)) != digest(tensors[f"output {index}"]) for index, leaf in enumerate(leaves))

    def _is_rounded_otherwise(self, name: str, state: Mapping[str, Tensor]) -> bool:
        """Whether an attribute is as it was but for rounding.

        Some forwards compute one anew in each call, as the older `weight_norm` does, and a compiler rounds otherwise.
        """
        is_attribute = name.startswith("attribute ") and name in state and name in self._pristine
        return is_attribute and is_rounding(state[name], self._pristine[name])

    def _buffers(self) -> dict[str, Tensor]:
        buffers = {f"buffer {name}": value for name, value in self._owner.named_buffers()}
        return buffers | {f"attribute {name}": value for name, value in self._attributes.now().items()}

    def _last_outputs(self) -> dict[str, Tensor]:
        """What the last call returned; where torch itself guards it against being overwritten, it is left out."""
        kept = {}
        for index, tensor in enumerate(self._last):
            with suppress(RuntimeError):  # CUDA graphs of torch.compile refuse to touch what a later call overwrote
                tensor.untyped_storage()
                kept[f"output {index} of the call before"] = tensor
        return kept

    def _state(self) -> dict[str, Tensor]:
        """Parameters, buffers and plain attributes as they are now: a call may have put others in their place."""
        parameters = {f"parameter {name}": value.detach() for name, value in self._owner.named_parameters()}
        return parameters | self._buffers()

    def _restore(self, changed: tuple[str, ...]) -> None:
        """Undo a call's changes; where more than buffers' contents changed, weights are drawn anew before the next."""
        self.restore_buffers()
        if any(name.startswith("parameter") for name in changed) or self.buffers_changed:
            self._weights = None
