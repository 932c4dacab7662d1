"""Rankings: from scores and a pruning ratio to widths, and from widths to the channels that go."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from types import MappingProxyType

import torch
from torch import Tensor

from netwright.errors import NetwrightError
from netwright_pruning.allocation import Allocation
from netwright_pruning.groups import ChannelGroup

Widths = Mapping[str, int]
"""Per group, how many units remain."""

EVEN = Allocation()
"""No layer is cut harder than another."""

WIDE = 64
"""Layers of as many channels can spare larger steps."""
WIDE_MULTIPLE, NARROW_MULTIPLE = 16, 8
"""What widths are multiples of unless told otherwise: vectors of float32 hold 16 numbers (AVX-512) or 8 (AVX2), and
tensor cores take multiples of 8."""


@dataclass(frozen=True)
class ScoredGroup:
    """A group whose units are scored; made by `score_units`.

    Attributes:
        scores: One per unit, shape (units,).
        order: Indices of the units, least important first.
        step: Widths are multiples of it, or whole.
        kept: How many units have to stay.
        share: How hard the group is cut, 1 as the others.
    """

    group: ChannelGroup
    scores: Tensor
    order: Tensor
    step: int
    kept: int = 0
    share: float = 1.0

    @property
    def floor(self) -> int:
        """The narrowest width."""
        return min(max(1, -(-self.kept // self.step)) * self.step, self.group.units)

    def rounded(self, units: float) -> int:
        """The permitted width nearest to `units`; of two, the wider."""
        lower = int(units // self.step) * self.step
        upper = min(lower + self.step, self.group.units)
        return max(self.floor, lower if units - lower < upper - units else upper)

    def is_rounded(self, units: int) -> bool:
        """Whether a width is a permitted one."""
        return units == self.group.units or units % self.step == 0

    def narrower(self, units: int) -> int:
        """The next permitted width below `units`, or `units` itself at the floor."""
        return max(self.floor, (units - 1) // self.step * self.step)

    def mean_score(self, narrower: int, units: int) -> float:
        """The mean score of the units that go on the way from `units` to `narrower`."""
        sums, whole = self._sums, self.group.units
        return (sums[whole - narrower] - sums[whole - units]) / (units - narrower)

    @cached_property
    def _sums(self) -> list[float]:
        """Of the scores of the least important units, by their number."""
        return [0.0, *self.scores[self.order].cumsum(0).tolist()]

    def channels_beyond(self, units: int) -> list[int]:
        """The channels of the root layer to remove so that `units` remain in every block."""
        gone = self.order[: self.group.units - units].tolist()
        return sorted(channel for unit in gone for channel in self.group.channels_of(unit))


def score_units(
    group: ChannelGroup, scores: Tensor, round_to: int | None, *, absolute: bool = False, allocation: Allocation = EVEN
) -> ScoredGroup:
    """Fold scores per channel, shape (channels,), into scores per unit, relative to the group's mean or `absolute`.

    Raises:
        NetwrightError: There is not one finite score per channel.
    """
    if scores.shape != (group.channels,) or not torch.isfinite(scores).all():
        found = (
            "scores are not finite" if scores.shape == (group.channels,) else f"scores have shape {tuple(scores.shape)}"
        )
        raise NetwrightError(
            f"cannot rank the channels of '{group.name}'",
            why=f"its {found}",
            remedy=f"an importance gives {group.channels} finite numbers here; check the weights for NaN",
        )
    units = scores.detach().double().cpu()[_places(group)].mean(1)
    mean = units.mean()
    relative = units / mean if mean > 0 and not absolute else units
    multiple = round_to or (WIDE_MULTIPLE if group.channels >= WIDE else NARROW_MULTIPLE)
    step = multiple // gcd(multiple, group.blocks)
    kept, share = allocation.kept(group.name, group.units), allocation.share(group.name)
    return ScoredGroup(group, relative, relative.argsort(stable=True), step, kept, share)


def describe_multiples(round_to: int | None) -> str:
    """What widths are, in words."""
    return f"multiples of {round_to or f'{WIDE_MULTIPLE} ({NARROW_MULTIPLE} in narrow layers)'}"


def _places(group: ChannelGroup) -> Tensor:
    """Per unit, where its channels stand among the group's own, shape (units, blocks)."""
    channels = torch.tensor([group.channels_of(unit) for unit in range(group.units)])
    return torch.searchsorted(channels.flatten().sort().values, channels)


class Ranking:
    """All scored groups of a model, ranked within scopes.

    Args:
        isomorphic: Whether each pattern is a scope of its own; otherwise all groups of one share are.
    """

    def __init__(self, groups: Sequence[ScoredGroup], *, isomorphic: bool) -> None:
        self.groups = MappingProxyType({scored.group.name: scored for scored in groups})
        self.isomorphic = isomorphic
        scopes: dict[tuple[tuple[str, ...], float], list[ScoredGroup]] = {}
        for scored in groups:
            scopes.setdefault((scored.group.pattern if isomorphic else (), scored.share), []).append(scored)
        self._scopes = [(share, members, _ranked_owners(members)) for (_, share), members in scopes.items()]

    def without(self, names: Mapping[str, object]) -> "Ranking":
        """The same ranking of the other groups."""
        rest = [scored for name, scored in self.groups.items() if name not in names]
        return Ranking(rest, isomorphic=self.isomorphic)

    @property
    def whole(self) -> Widths:
        """The widths of the unpruned model."""
        return {name: scored.group.units for name, scored in self.groups.items()}

    def widths(self, ratio: float) -> Widths:
        """The widths that remain when the least important `ratio` of each scope's units go, rounded."""
        widths = {}
        for share, members, owners in self._scopes:
            lost = ratio if share == 1 else 1 - (1 - ratio) ** share
            gone = torch.bincount(owners[: int(lost * len(owners))], minlength=len(members)).tolist()
            for scored, count in zip(members, gone, strict=True):
                widths[scored.group.name] = scored.rounded(scored.group.units - count)
        return {name: widths[name] for name in self.groups}

    def narrowed(self, widths: Widths) -> Iterator[tuple[str, Widths]]:
        """Widths with one group a step narrower, for every group that has one, least important step first."""
        steps = []
        for name, scored in self.groups.items():
            narrower = scored.narrower(widths[name])
            if narrower < widths[name]:
                steps.append((scored.mean_score(narrower, widths[name]), name, narrower))
        for _, name, narrower in sorted(steps, key=lambda step: step[0]):
            yield name, {**widths, name: narrower}

    def steps(self, wide: Widths, narrow: Widths) -> Iterator[tuple[str, Widths]]:
        """The way from widths to narrower ones, one step of one group after the other."""
        widths = dict(wide)
        for name, scored in self.groups.items():
            while widths[name] > narrow[name]:
                widths[name] = max(narrow[name], scored.narrower(widths[name]))
                yield name, dict(widths)

    def cuts(self, widths: Widths) -> dict[str, list[int]]:
        """Per group that gets narrower, the channels of its root layer to remove."""
        return {
            name: scored.channels_beyond(widths[name])
            for name, scored in self.groups.items()
            if widths[name] < scored.group.units
        }


def _ranked_owners(members: Sequence[ScoredGroup]) -> Tensor:
    """For all units of a scope, least important first, the index of the group that each belongs to.

    Of units with equal scores, the one that stands lower in its own group goes first, so that groups share ties evenly.
    """
    owners = torch.cat([torch.full((scored.group.units,), index) for index, scored in enumerate(members)])
    scores = torch.cat([scored.scores[scored.order] for scored in members])
    standing = torch.cat([torch.arange(scored.group.units) / scored.group.units for scored in members])
    by_standing = standing.argsort(stable=True)
    return owners[by_standing[scores[by_standing].argsort(stable=True)]]
