"""The pruning baselines that ship with netwright, on the importance estimators of torch-pruning."""

from netwright_pruning import criteria
from netwright_pruning.config import Criterion, Reduction
from netwright_pruning.method import BasePruningMethod
from netwright_pruning.scoring import Importance


class RandomPruning(BasePruningMethod):
    """Channels drawn by lot: what any criterion must beat."""

    def importance(self, *, seed: int) -> Importance:
        """Uniform scores from a generator of its own."""
        return criteria.random(seed)


class MagnitudePruning(BasePruningMethod):
    """The norm of all weights that belong to a channel (Li et al., "Pruning Filters for Efficient ConvNets", 2017).

    Args:
        criterion: Which norm.
        reduction: How the scores of a group's layers become one.
    """

    def __init__(self, criterion: Criterion = "l2", reduction: Reduction = "mean") -> None:
        self.criterion = criterion
        self.reduction = reduction

    @property
    def method_name(self) -> str:
        """As the baselines are registered."""
        return f"magnitude_{self.criterion}"

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - nothing is random here
        """Sums of absolute or squared weights over the group."""
        return criteria.magnitude(1 if self.criterion == "l1" else 2, self.reduction)


class MagnitudeL1(MagnitudePruning):
    """Sums of absolute weights."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__("l1", reduction)


class MagnitudeL2(MagnitudePruning):
    """Sums of squared weights."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__("l2", reduction)


class TaylorPruning(BasePruningMethod):
    """First-order change of the loss when a channel goes (Molchanov et al., "Importance Estimation", CVPR 2019)."""

    needs_gradients = True

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction = reduction

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - nothing is random here
        """Sums of |weight x gradient| over the group."""
        return criteria.taylor(self.reduction)


class HessianPruning(BasePruningMethod):
    """Second-order change of the loss when a channel goes (LeCun et al., "Optimal Brain Damage", 1990)."""

    needs_gradients = True
    squared_gradients = True

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction = reduction

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - nothing is random here
        """Sums of weight² x gradient² over the group."""
        return criteria.hessian(self.reduction)


class BatchNormScalePruning(BasePruningMethod):
    """Absolute scales of batch normalisation (Liu et al., "Network Slimming", ICCV 2017)."""

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - nothing is random here
        """The mean over the group's batch normalisations; groups without any stay whole."""
        return criteria.batch_norm_scale()


class GeometricMedianPruning(BasePruningMethod):
    """Filters that the others of their layer can replace (He et al., FPGM, CVPR 2019)."""

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - nothing is random here
        """Sums of distances to the layer's other filters."""
        return criteria.geometric_median()


class LampPruning(BasePruningMethod):
    """Squared weights in relation to the larger ones of their layer (Lee et al., LAMP, ICLR 2021)."""

    absolute = True

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - nothing is random here
        """Scores that compare between layers as they are."""
        return criteria.lamp()


class ActivationPruning(BasePruningMethod):
    """What a channel brings to the layers that read it, on calibration batches."""

    needs_activations = True

    def importance(self, *, seed: int) -> Importance:  # noqa: ARG002 - nothing is random here
        """The root mean square of its values times the norm of the weights that they meet."""
        return criteria.activation()


class IsomorphicPruning(BasePruningMethod):
    """Any criterion, ranked only among groups of equal structure (Fang et al., ECCV 2024).

    Args:
        criterion: What scores the channels: l1, l2, or the name of any pruning baseline. The paper's own is Taylor.
    """

    isomorphic = True

    def __init__(self, criterion: str = "taylor") -> None:
        self.criterion = criterion
        self._scored_by = _method(criterion)
        self.needs_gradients = self._scored_by.needs_gradients
        self.squared_gradients = self._scored_by.squared_gradients
        self.needs_activations = self._scored_by.needs_activations
        self.absolute = self._scored_by.absolute

    def importance(self, *, seed: int) -> Importance:
        """The criterion's scores."""
        return self._scored_by.importance(seed=seed)


class IsomorphicOriginal(IsomorphicPruning):
    """Isomorphic pruning as published: Taylor importance, ranked globally within each isomorphic group.

    The published code differs in two points: it sums gradients over batches, where this takes their root mean square
    (which does not vanish on a model that fits its data); and for ConvNeXt it also leaves out whole blocks.
    """

    def __init__(self) -> None:
        super().__init__("taylor")


def _method(criterion: str) -> BasePruningMethod:
    """A criterion by its short name, or any registered method."""
    if criterion in ("l1", "l2"):
        return MagnitudeL1() if criterion == "l1" else MagnitudeL2()
    if criterion == "taylor":
        return TaylorPruning()
    from netwright_pruning.methods import load_method

    return load_method(criterion)
