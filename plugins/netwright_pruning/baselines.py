"""The pruning baselines that ship with netwright, on the importance estimators of torch-pruning."""

import torch
from torch import Tensor
from torch_pruning.pruner import importance as estimators

from netwright_pruning.config import Criterion
from netwright_pruning.groups import Group
from netwright_pruning.method import BasePruningMethod, Importance


class RandomPruning(BasePruningMethod):
    """Channels drawn by lot: what any criterion must beat."""

    def importance(self, *, seed: int) -> Importance:
        """Uniform scores from a generator of its own."""
        generator = torch.Generator().manual_seed(seed)

        def score(group: Group) -> Tensor:
            return torch.rand(len(group[0].idxs), generator=generator)

        return score


class MagnitudePruning(BasePruningMethod):
    """The norm of all weights that belong to a channel (Li et al., "Pruning Filters for Efficient ConvNets", 2017).

    Args:
        criterion: Which norm.
    """

    def __init__(self, criterion: Criterion = "l2") -> None:
        self.criterion = criterion

    @property
    def method_name(self) -> str:
        """As the baselines are registered."""
        return f"magnitude_{self.criterion}"

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - nothing is random here
        """Sums of absolute or squared weights over the group."""
        return _estimator(self.criterion)


class MagnitudeL1(MagnitudePruning):
    """Sums of absolute weights."""

    def __init__(self) -> None:
        super().__init__("l1")


class MagnitudeL2(MagnitudePruning):
    """Sums of squared weights."""

    def __init__(self) -> None:
        super().__init__("l2")


class TaylorPruning(BasePruningMethod):
    """First-order change of the loss when a channel goes (Molchanov et al., "Importance Estimation", CVPR 2019)."""

    needs_gradients = True

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - nothing is random here
        """Sums of |weight x gradient| over the group."""
        return _estimator("taylor")


class IsomorphicPruning(BasePruningMethod):
    """Any criterion, ranked only among groups of equal structure (Fang et al., ECCV 2024).

    Args:
        criterion: What scores the channels; the paper's own is Taylor.
    """

    isomorphic = True

    def __init__(self, criterion: Criterion = "taylor") -> None:
        self.criterion = criterion
        self.needs_gradients = criterion == "taylor"

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - nothing is random here
        """The criterion's scores."""
        return _estimator(self.criterion)


class IsomorphicOriginal(IsomorphicPruning):
    """Isomorphic pruning as published: Taylor importance, ranked globally within each isomorphic group.

    The published code differs in two points: it sums gradients over batches, where this takes their root mean square
    (which does not vanish on a model that fits its data); and for ConvNeXt it also leaves out whole blocks.
    """

    def __init__(self) -> None:
        super().__init__("taylor")


def _estimator(criterion: Criterion) -> Importance:
    """torch-pruning's estimator, without its normaliser: the engine has its own, which survives groups of zeros."""
    if criterion == "taylor":
        return estimators.GroupTaylorImportance(normalizer=None)  # type: ignore[arg-type]
    return estimators.GroupMagnitudeImportance(p=1 if criterion == "l1" else 2, normalizer=None)  # type: ignore[arg-type]
