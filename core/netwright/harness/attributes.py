"""Tensors that a module keeps as plain attributes, which no state dict holds: a recurrent network's hidden state."""

from collections.abc import Iterable, Iterator
from operator import attrgetter

import torch
from torch import Tensor, nn

from netwright.harness.observe import digest


def plain_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """A module's plain attributes that are tensors, by name, those of its parts too."""
    for prefix, part in module.named_modules():
        found = ((f"{prefix}.{key}".lstrip("."), value) for key, value in vars(part).items())
        yield from ((name, value) for name, value in found if isinstance(value, Tensor))


class Attributes:
    """Some of a module's plain tensors, as they are now; a call may change or replace them.

    Args:
        names: Which; those that the module lacks are left out.
    """

    def __init__(self, module: nn.Module, names: Iterable[str]) -> None:
        own = dict(plain_tensors(module))
        self._module = module
        self._first = {name: own[name] for name in names if name in own}
        self._pristine = {name: value.detach().clone() for name, value in self._first.items()}
        self._digests = {name: digest(value) for name, value in self._first.items()}

    def changed(self) -> list[str]:
        """The names of those that hold no tensor by now, or another one than at first, whatever object that is."""
        held = self.now()
        return [name for name, first in self._digests.items() if name not in held or digest(held[name]) != first]

    def now(self) -> dict[str, Tensor]:
        """What the attributes hold by now, by name, those that still hold tensors."""
        held = {name: self._holder(name).__dict__.get(_last(name)) for name in self._first}
        return {name: value for name, value in held.items() if isinstance(value, Tensor)}

    def restore(self) -> None:
        """Put the first tensors back, with their first contents."""
        with torch.no_grad():
            for name, value in self._first.items():
                if digest(value) != self._digests[name]:
                    value.copy_(self._pristine[name])
                holder = self._holder(name)
                if holder.__dict__.get(_last(name)) is not value:
                    setattr(holder, _last(name), value)

    def _holder(self, name: str) -> nn.Module:
        prefix = name.rpartition(".")[0]
        found: nn.Module = attrgetter(prefix)(self._module) if prefix else self._module
        return found


def _last(name: str) -> str:
    return name.rpartition(".")[2]
